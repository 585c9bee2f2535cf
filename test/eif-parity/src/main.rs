//! Compares what AWS's library measures of every NAME.eif in a folder with the NAME.pcrs beside it.
//!
//! `eif-parity FOLDER` prints a line for each file and ends with 1 if one differs.
//! `eif-parity print FILE` prints what the library measures of one file.
//! `eif-parity sign FILE KEY CERTIFICATE` signs one with the library, key and certificate in PEM.

use aws_nitro_enclaves_image_format::utils::eif_reader::EifReader;
use aws_nitro_enclaves_image_format::utils::{EifSigner, SignKeyData};
use std::path::Path;

/// A line `PCR<index> <hex>` for each register, after the library's own checks of CRC and signature.
fn measure(path: &Path) -> Result<String, String> {
    let mut reader = EifReader::from_eif(path.to_string_lossy().into_owned())?;
    let measurements = reader.get_measurements()?;
    if !reader.check_crc() {
        return Err("the CRC is wrong".into());
    }
    if reader.signature_section.is_some() {
        reader.get_certificate_info(measurements.clone())?;
        if reader.sign_check != Some(true) {
            return Err("the signature is wrong".into());
        }
    }
    let registers = measurements.iter().filter(|(name, _)| name.starts_with("PCR"));
    Ok(registers.map(|(name, value)| format!("{name} {value}\n")).collect())
}

fn compare(folder: &Path) -> Result<bool, String> {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut files: Vec<_> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "eif"))
        .collect();
    files.sort();
    let mut equal = 0;
    for file in &files {
        let ours = std::fs::read_to_string(file.with_extension("pcrs")).map_err(|e| e.to_string())?;
        let theirs = measure(file).unwrap_or_else(|error| format!("refused: {error}\n"));
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        if ours == theirs {
            println!("same    {name}: {} registers", ours.lines().count());
            equal += 1;
        } else {
            println!("DIFFERS {name}\nours:\n{ours}theirs:\n{theirs}");
        }
    }
    println!("{equal} of {} files measure the same", files.len());
    Ok(!files.is_empty() && equal == files.len())
}

fn sign(file: &str, key: &str, certificate: &Path) -> Result<(), String> {
    let signer = EifSigner::new(Some(SignKeyData::new(key, certificate)?)).ok_or("no signer")?;
    signer.sign_image(file)
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match words[..] {
        ["print", file] => measure(Path::new(file)).map(|text| {
            print!("{text}");
            true
        }),
        ["sign", file, key, certificate] => sign(file, key, Path::new(certificate)).map(|()| true),
        [folder] => compare(Path::new(folder)),
        _ => Err("usage: eif-parity FOLDER | print FILE | sign FILE KEY CERTIFICATE".into()),
    };
    match result {
        Ok(true) => {}
        Ok(false) => std::process::exit(1),
        Err(text) => {
            eprintln!("eif-parity: {text}");
            std::process::exit(2);
        }
    }
}
