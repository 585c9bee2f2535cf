// What the verifiers have in common: reads a folder of documents, says which are accepted, and how many of the genuine
// ones of production (v*_prod.cbor) are checked in a second. Usage: PROGRAM SECONDS FOLDER...
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What the clock says while a document is judged: some verifiers check certificates at the present time alone, and
/// all genuine documents are old. 0 = the real time.
static WALL_SECONDS: AtomicU64 = AtomicU64::new(0);

#[repr(C)]
pub struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

extern "C" {
    fn syscall(number: i64, ...) -> i64;
}

#[cfg(target_arch = "x86_64")]
const CLOCK_GETTIME: i64 = 228;
#[cfg(target_arch = "aarch64")]
const CLOCK_GETTIME: i64 = 113;

/// Stands in for the C library's.
///
/// # Safety
/// As clock_gettime(3).
#[no_mangle]
pub unsafe extern "C" fn clock_gettime(clock: i32, ret: *mut Timespec) -> i32 {
    let seconds = WALL_SECONDS.load(Ordering::Relaxed);
    if clock == 0 && seconds > 0 {
        *ret = Timespec { seconds: seconds as i64, nanoseconds: 0 };
        return 0;
    }
    syscall(CLOCK_GETTIME, clock as i64, ret) as i32
}

pub struct Document {
    pub name: String,
    pub bytes: Vec<u8>,
    /// The document's own timestamp, in seconds; 0 if none is found.
    pub at: u64,
}

fn find_time(bytes: &[u8]) -> u64 {
    let key = b"itimestamp\x1b";
    match bytes.windows(key.len()).position(|window| window == key) {
        Some(at) if at + key.len() + 8 <= bytes.len() => {
            let start = at + key.len();
            u64::from_be_bytes(bytes[start..start + 8].try_into().unwrap()) / 1000
        }
        _ => 0,
    }
}

fn load(folders: &[String]) -> Vec<Document> {
    let mut paths: Vec<_> = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).expect("folder").map(|entry| entry.unwrap().path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "cbor"))
        .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let bytes = std::fs::read(&path).expect("document");
            let at = find_time(&bytes);
            Document { name: path.file_stem().unwrap().to_string_lossy().into_owned(), bytes, at }
        })
        .collect()
}

/// A verifier that panics is counted as one: its caller would have to catch that.
fn judge(verify: &dyn Fn(&Document) -> bool, document: &Document) -> &'static str {
    WALL_SECONDS.store(document.at, Ordering::Relaxed);
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| verify(document))) {
        Ok(true) => "accept",
        Ok(false) => "reject",
        Err(_) => "panic",
    }
}

pub fn run(verify: &dyn Fn(&Document) -> bool) {
    std::panic::set_hook(Box::new(|_| {}));
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let limit = Duration::from_secs_f64(arguments[0].parse().expect("seconds"));
    let documents = load(&arguments[1..]);
    for document in &documents {
        println!("{} {}", judge(verify, document), document.name);
    }
    let timed: Vec<_> = documents
        .iter()
        .filter(|one| one.name.starts_with('v') && one.name.ends_with("_prod") && judge(verify, one) == "accept")
        .collect();
    let start = Instant::now();
    let mut count = 0u64;
    while start.elapsed() < limit {
        for document in &timed {
            WALL_SECONDS.store(document.at, Ordering::Relaxed);
            verify(document);
            count += 1;
        }
    }
    println!("rate {:.1}", count as f64 / start.elapsed().as_secs_f64());
}
