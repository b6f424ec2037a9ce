//! What a container needs before it can start: folders, files, and a script.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::environment::{environment, expanded};
use super::images::Image;
use super::keeper::Shared;
use super::spec::{Facts, User};
use super::volume_files::{self, Files};
use super::volumes::{self, Tokens};
use super::{hosts, root, termination};

/// A pod's own folder.
pub struct Making {
    shared: Arc<Shared>,
    image: Image,
    user: User,
    folder: PathBuf,
    tokens: Tokens,
    /// What was written last, by volume.
    written: BTreeMap<String, Files>,
}

impl Making {
    pub async fn new(facts: &Facts, shared: &Arc<Shared>) -> Result<Self, String> {
        let image = facts.container().image.as_deref().unwrap_or_default();
        let image = shared.images.get(image).ok_or_else(|| format!("the node has no image {image}"))?.clone();
        let user = facts.user(&image)?;
        let folder = shared.folder(&facts.uid);
        make_folders(&folder, facts, user).map_err(|error| format!("{}: {error}", folder.display()))?;
        let tokens = volumes::tokens(facts, &shared.client).await.map_err(|error| error.to_string())?;
        Ok(Self { shared: Arc::clone(shared), image, user, folder, tokens, written: BTreeMap::new() })
    }

    /// The script that starts the container; an error names what is not there yet.
    pub fn prepare(&mut self, facts: &Facts) -> Result<PathBuf, String> {
        self.write_volumes(facts)?;
        let container = facts.container();
        let environment = {
            let tables = self.shared.watched.read();
            hosts::write(&self.folder, facts.address, &facts.name, &hosts::names(&tables, &facts.namespace));
            environment(container.env.as_deref().unwrap_or_default(), facts, &tables)?
        };
        let entrypoint = container.command.clone().unwrap_or_else(|| self.image.entrypoint.clone());
        let words = entrypoint.iter().chain(container.args.iter().flatten());
        let command: Vec<String> = words.map(|word| expanded(word, &environment)).collect();
        let last_words = self.last_words();
        termination::empty(&last_words).map_err(|error| error.to_string())?;
        let mounts = root::mounts(facts, &self.folder.join("volumes"), &last_words);
        let script =
            root::script(&self.folder.join("root"), facts, &self.image, &mounts, self.user, &environment, &command);
        let path = self.folder.join("start.sh");
        script.and_then(|script| fs::write(&path, script)).map_err(|error| error.to_string())?;
        Ok(path)
    }

    /// The file for what the container says at its end.
    pub fn last_words(&self) -> PathBuf {
        self.folder.join("termination-log")
    }

    /// Writes what has changed in the volumes.
    pub fn write_volumes(&mut self, facts: &Facts) -> Result<(), String> {
        for volume in facts.spec().volumes.iter().flatten() {
            let files = volumes::files(volume, facts, &self.shared.watched.read(), &self.tokens)?;
            let Some(files) = files.filter(|files| self.written.get(&volume.name) != Some(files)) else { continue };
            let folder = self.folder.join("volumes").join(&volume.name);
            volume_files::publish(&folder, &files, self.user).map_err(|error| error.to_string())?;
            self.written.insert(volume.name.clone(), files);
        }
        Ok(())
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        let _folder_stays = fs::remove_dir_all(&self.folder);
    }
}

fn make_folders(folder: &Path, facts: &Facts, user: User) -> io::Result<()> {
    root::make(&folder.join("root"), facts)?;
    for volume in facts.spec().volumes.iter().flatten() {
        let path = folder.join("volumes").join(&volume.name);
        fs::create_dir_all(&path)?;
        let mode = if volume.empty_dir.is_some() { 0o777 } else { 0o755 };
        fs::set_permissions(&path, Permissions::from_mode(mode))?;
        volume_files::own(&path, None, user.files)?;
    }
    Ok(())
}
