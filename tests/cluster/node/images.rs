//! What a container image is here: programs of this machine, and how they are called inside.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::{homing, parts};

/// The user of the image of Homing.
const NONROOT: u32 = 65532;
/// Where programs are that a container finds by their names alone; no folder of this machine is called so.
pub const PROGRAMS: &str = "/image";

/// One image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Files of this machine and where a container finds them, outside of the folders that all containers have.
    pub files: Vec<(PathBuf, PathBuf)>,
    pub entrypoint: Vec<String>,
    pub user: u32,
}

/// Images by name, with tag.
#[derive(Clone, Debug)]
pub struct Images(BTreeMap<String, Image>);

impl Images {
    /// The image of Homing.
    pub const HOMING: &str = "homing:test";
    /// A simulated engine; its args are those of `homing engine`.
    pub const ENGINE: &str = "engine:test";
    /// Whatever this machine has in its `PATH`.
    pub const MACHINE: &str = "machine:test";
    /// The Valkey of the chart.
    pub const VALKEY: &str = "valkey/valkey:9.1.4-alpine";

    /// Those four.
    pub fn standard() -> Self {
        Self(BTreeMap::new())
            .with(Self::HOMING, Image::homing())
            .with(Self::ENGINE, Image::engine())
            .with(Self::MACHINE, Image::machine())
            .with(Self::VALKEY, Image::program(parts::valkey(), "valkey-server"))
    }

    /// These, and one more.
    pub fn with(mut self, name: &str, image: Image) -> Self {
        self.0.insert(name.to_owned(), image);
        self
    }

    pub fn get(&self, name: &str) -> Option<&Image> {
        self.0.get(name)
    }
}

impl Image {
    /// As `deploy/Dockerfile` makes it.
    pub fn homing() -> Self {
        let files = vec![(homing::binary(), "/homing".into())];
        Self { files, entrypoint: vec!["/homing".to_owned()], user: NONROOT }
    }

    fn engine() -> Self {
        Self { entrypoint: vec!["/homing".to_owned(), "engine".to_owned()], ..Self::homing() }
    }

    /// One that holds a single program, which runs where the spec names none.
    pub fn program(binary: PathBuf, name: &str) -> Self {
        Self { files: vec![(binary, Path::new(PROGRAMS).join(name))], entrypoint: vec![name.to_owned()], user: NONROOT }
    }

    fn machine() -> Self {
        Self { files: Vec::new(), entrypoint: Vec::new(), user: 0 }
    }
}
