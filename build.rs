//! Compiles `proto/` into what `src/proto.rs` includes, without a protoc on the machine.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    let files = protox::compile(["homing/v1alpha1/inspect.proto", "homing/sync/v1/sync.proto"], ["proto"])?;
    // As JSON they have the names of the admin port's pages: `homing explain --output json` prints them.
    let printed = ["Decision", "Choice", "Charges", "Endpoint"].map(|message| format!("homing.v1alpha1.{message}"));
    let code = printed.iter().fold(tonic_prost_build::configure(), |code, message| {
        code.message_attribute(message, "#[derive(serde::Serialize)] #[serde(rename_all = \"camelCase\")]")
    });
    Ok(code.compile_fds(files)?)
}
