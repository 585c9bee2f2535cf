#[path = "../../harness.rs"]
mod harness;

use aws_nitro_enclaves_attestation::NitroAdDoc;

// The root in PEM or DER, as the crate takes it, is named by the environment: it is no part of this tree.
fn main() {
    let root = std::fs::read(std::env::var("BENCH_ROOT_DER").expect("BENCH_ROOT_DER")).expect("root");
    harness::run(&|document| NitroAdDoc::from_bytes(&document.bytes, &root, document.at).is_ok());
}
