//! Compiles `proto/` into what `src/proto.rs` includes, without a protoc on the machine.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    let files = [
        "envoy/service/ext_proc/v3/external_processor.proto",
        "homing/v1alpha1/inspect.proto",
        "homing/sync/v1/sync.proto",
    ];
    let files = protox::compile(files, ["proto"])?;
    // Bodies, names and values are views of what was read, and never copied.
    let code = tonic_prost_build::configure().bytes(".envoy");
    // As JSON they have the names of the admin port's pages: `homing explain --output json` prints them.
    let printed = ["Decision", "Choice", "Charges", "Endpoint", "Replica", "ReplicasResponse", "Traffic"]
        .map(|message| format!("homing.v1alpha1.{message}"));
    let code = printed.iter().fold(code, |code, message| {
        code.message_attribute(message, "#[derive(serde::Serialize)] #[serde(rename_all = \"camelCase\")]")
    });
    Ok(code.compile_fds(files)?)
}
