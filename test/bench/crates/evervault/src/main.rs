#[path = "../../harness.rs"]
mod harness;

fn main() {
    harness::run(&|document| attestation_doc_validation::validate_and_parse_attestation_doc(&document.bytes).is_ok());
}
