#[path = "../../harness.rs"]
mod harness;

use nitro_attest::UnparsedAttestationDoc;

fn main() {
    harness::run(&|document| {
        let at = time::OffsetDateTime::from_unix_timestamp(document.at as i64).unwrap();
        UnparsedAttestationDoc::from(document.bytes.as_slice()).parse_and_verify(at).is_ok()
    });
}
