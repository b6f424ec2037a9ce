//! One pod, from the moment that the node takes it until it is no more.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{LifecycleHandler, Pod};
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::container::Container;
use super::environment::{environment, expanded};
use super::fields;
use super::images::Image;
use super::keeper::{Running, Shared};
use super::network::{HOST, Network};
use super::probe::{Ask, Probes, Verdict};
use super::root;
use super::spec::{Facts, User, seconds};
use super::status::{Status, starts_again};
use super::tables::Kind;
use super::volume_files::{self, Files};
use super::volumes::{self, Tokens};

/// Between a crash and the next start: nothing at first, then this, doubled up to the other. A kubelet takes ten
/// seconds and five minutes.
const BACKOFF: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(4)];
/// What a container has left to end in, however long its preStop took.
const LEAST_GRACE: Duration = Duration::from_secs(2);

/// What it takes to run a pod.
struct Life {
    shared: Arc<Shared>,
    facts: Facts,
    image: Image,
    user: User,
    network: Arc<Network>,
    folder: PathBuf,
    tokens: Tokens,
    /// What was written last, by volume.
    written: std::collections::BTreeMap<String, Files>,
    status: Status,
    changed: watch::Receiver<()>,
}

/// Why a container is not waited for any longer.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Exited(i32),
    Unhealthy,
    /// The pod is being deleted.
    Deleted,
    /// The pod is no more.
    Gone,
}

/// Runs the pod that `object` describes.
pub async fn run(object: DynamicObject, shared: Arc<Shared>) {
    let name = object.metadata.name.clone().unwrap_or_default();
    let namespace = object.metadata.namespace.clone().unwrap_or_default();
    let api: Api<Pod> = Api::namespaced(shared.client.clone(), &namespace);
    let problem = |text: String| shared.problem(format!("{namespace}/{name}: {text}"));
    if object.metadata.deletion_timestamp.is_some() {
        return remove(&api, &object).await;
    }
    if object.data["spec"]["nodeName"].is_null()
        && let Err(error) = bind(&shared, &namespace, &name).await
    {
        // It may have been deleted meanwhile, which needs nobody without a node.
        return if api.get_opt(&name).await.is_ok_and(|pod| pod.is_some()) { problem(error.to_string()) } else { () };
    }
    match Life::new(&object, &shared).await {
        Ok(life) => life.live(&api).await,
        Err(error) => {
            problem(error.clone());
            let failed = json!({"status": {"phase": "Failed", "message": error}});
            let _gone = api.patch_status(&name, &PatchParams::default(), &Patch::Merge(failed)).await;
            gone_or_deleted(&shared, &object).await;
            remove(&api, &object).await;
        }
    }
}

impl Life {
    async fn new(object: &DynamicObject, shared: &Arc<Shared>) -> Result<Self, String> {
        if let Some(unknown) = fields::unknown(&object.data["spec"]) {
            return Err(unknown);
        }
        let value = serde_json::to_value(object).map_err(|error| error.to_string())?;
        let pod: Pod = serde_json::from_value(value).map_err(|error| error.to_string())?;
        let network = Arc::new(Network::add().await?);
        let environment = [
            ("KUBERNETES_SERVICE_HOST", shared.server.ip().to_string()),
            ("KUBERNETES_SERVICE_PORT", shared.server.port().to_string()),
            ("HOSTNAME", pod.metadata.name.clone().unwrap_or_default()),
        ];
        let facts = Facts {
            namespace: pod.metadata.namespace.clone().unwrap_or_default(),
            name: pod.metadata.name.clone().unwrap_or_default(),
            uid: pod.metadata.uid.clone().unwrap_or_default(),
            node: shared.name.clone(),
            address: network.address,
            host: HOST,
            environment: environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            pod,
        };
        let image = facts.container().image.as_deref().unwrap_or_default();
        let image = shared.images.get(image).ok_or_else(|| format!("the node has no image {image}"))?.clone();
        let user = facts.user(&image)?;
        // A probe that is wrong is found here, not when the container runs.
        Probes::of(&facts)?;
        let folder = shared.folder(&facts.uid);
        let changed = shared.watched.subscribe();
        let mut life = Self {
            shared: Arc::clone(shared),
            image,
            user,
            network,
            folder,
            tokens: Tokens::new(),
            written: std::collections::BTreeMap::new(),
            status: Status::new(),
            changed,
            facts,
        };
        life.make_folders().map_err(|error| format!("{}: {error}", life.folder.display()))?;
        life.tokens = volumes::tokens(&life.facts, &shared.client).await.map_err(|error| error.to_string())?;
        life.announce(None);
        Ok(life)
    }

    async fn live(mut self, api: &Api<Pod>) {
        let end = self.containers(api).await;
        if end == End::Deleted || end == End::Gone {
            self.publish(api).await;
        } else {
            // A pod that has run to completion stays until somebody deletes it.
            let object = self.object();
            if let Some(object) = object {
                gone_or_deleted(&self.shared, &object).await;
            }
        }
        self.shared.forget(&self.facts);
        let _folder_stays = fs::remove_dir_all(&self.folder);
        let (name, uid) = (self.facts.name.clone(), self.facts.uid.clone());
        drop(self);
        delete(api, &name, &uid).await;
    }

    /// One container after another, until no more is to come.
    async fn containers(&mut self, api: &Api<Pod>) -> End {
        loop {
            let mut container = match self.start(api).await {
                Ok(container) => container,
                Err(end) => return end,
            };
            let (sender, mut verdicts) = mpsc::channel(8);
            let mut probing = JoinSet::new();
            let probes = Probes::of(&self.facts).expect("it was looked at before");
            probing.spawn(probes.run(sender));
            let mut end = self.watch(api, &mut container, &mut verdicts, true).await;
            let deleted = match end {
                End::Gone => return End::Gone,
                End::Exited(_) => false,
                End::Deleted | End::Unhealthy => {
                    let deleted = end == End::Deleted;
                    end = self.end(api, &mut container, &mut verdicts).await;
                    deleted
                }
            };
            drop(probing);
            let End::Exited(code) = end else { return end };
            container.kill();
            let again = !deleted && starts_again(self.facts.restart(), code);
            self.status.ended(code, !again);
            self.announce(None);
            if deleted {
                return End::Deleted;
            }
            if !again {
                self.publish(api).await;
                return end;
            }
            self.status.restarts();
            self.publish(api).await;
            let doubled = BACKOFF[0] * 2u32.saturating_pow(self.status.restart_count().saturating_sub(2));
            let pause = if self.status.restart_count() == 1 { Duration::ZERO } else { doubled.min(BACKOFF[1]) };
            tokio::select! {
                () = sleep(pause) => {}
                end = deletion(&self.shared, &self.facts, &mut self.changed) => return end,
            }
        }
    }

    /// Starts a container once all that it needs is there.
    async fn start(&mut self, api: &Api<Pod>) -> Result<Container, End> {
        loop {
            let missing = match self.prepare() {
                Ok(script) => match Container::start(&script, &self.network, &self.log()) {
                    Ok(container) => {
                        self.announce(Some(&container));
                        self.status.runs();
                        self.publish(api).await;
                        return Ok(container);
                    }
                    Err(error) => error.to_string(),
                },
                Err(missing) => missing,
            };
            self.status.waits("CreateContainerConfigError", &missing);
            self.publish(api).await;
            if self.deletion().is_some() {
                return Err(self.deletion().unwrap_or(End::Gone));
            }
            let _node_ended = self.changed.changed().await;
        }
    }

    /// Waits until something ends the container; `all` is false once it is being ended, when only readiness counts.
    async fn watch(
        &mut self,
        api: &Api<Pod>,
        container: &mut Container,
        verdicts: &mut mpsc::Receiver<Verdict>,
        all: bool,
    ) -> End {
        loop {
            tokio::select! {
                code = container.ended() => return End::Exited(code),
                Some(verdict) = verdicts.recv() => match verdict {
                    Verdict::Started => self.status.has_started(),
                    Verdict::Ready(ready) => {
                        if self.status.is_ready(ready) {
                            self.publish(api).await;
                        }
                    }
                    Verdict::Unhealthy if all => return End::Unhealthy,
                    Verdict::Unhealthy => {}
                },
                _ = self.changed.changed() => match self.deletion() {
                    Some(End::Gone) => return End::Gone,
                    Some(end) if all => return end,
                    _ => if let Err(error) = self.write_volumes() {
                        eprintln!("{}: {error}", self.facts.name);
                    },
                },
            }
        }
    }

    /// Lets the container end as its spec says, and no longer than it may take.
    async fn end(&mut self, api: &Api<Pod>, container: &mut Container, verdicts: &mut mpsc::Receiver<Verdict>) -> End {
        let grace = self.object().and_then(|object| object.metadata.deletion_grace_period_seconds);
        let grace = grace.map_or_else(|| self.facts.grace(), seconds);
        let deadline = Instant::now() + grace;
        if let Some(hook) = self.facts.container().lifecycle.clone().and_then(|lifecycle| lifecycle.pre_stop) {
            let ask = self.hook(&hook);
            let hook = async {
                match (hook.sleep, ask) {
                    (Some(sleeping), _) => sleep(seconds(sleeping.seconds)).await,
                    (None, Some(ask)) => drop(ask.passes(grace).await),
                    (None, None) => {}
                }
            };
            tokio::select! {
                end = self.watch(api, container, verdicts, false) => return end,
                () = hook => {}
                () = sleep_until(deadline) => {}
            }
        }
        container.terminate();
        let deadline = deadline.max(Instant::now() + LEAST_GRACE);
        tokio::select! {
            end = self.watch(api, container, verdicts, false) => return end,
            () = sleep_until(deadline) => {}
        }
        container.kill();
        End::Exited(container.ended().await)
    }

    fn hook(&self, hook: &LifecycleHandler) -> Option<Ask> {
        let get = hook.http_get.as_ref()?;
        let port = self.facts.port(&get.port).ok()?;
        Some(Ask::http(self.facts.address, port, get.path.as_deref()))
    }

    fn make_folders(&self) -> io::Result<()> {
        root::make(&self.folder.join("root"), &self.facts)?;
        for volume in self.facts.spec().volumes.iter().flatten() {
            let path = self.folder.join("volumes").join(&volume.name);
            fs::create_dir_all(&path)?;
            let mode = if volume.empty_dir.is_some() { 0o777 } else { 0o755 };
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode))?;
            volume_files::own(&path, None, self.user.files)?;
        }
        Ok(())
    }

    /// The script that starts the container; an error names what is not there yet.
    fn prepare(&mut self) -> Result<PathBuf, String> {
        self.write_volumes()?;
        let container = self.facts.container();
        let environment = {
            let tables = self.shared.watched.read();
            environment(container.env.as_deref().unwrap_or_default(), &self.facts, &tables)?
        };
        let entrypoint = container.command.clone().unwrap_or_else(|| self.image.entrypoint.clone());
        let words = entrypoint.iter().chain(container.args.iter().flatten());
        let command: Vec<String> = words.map(|word| expanded(word, &environment)).collect();
        let emptied = |name: &str| {
            let mut volumes = self.facts.spec().volumes.iter().flatten();
            volumes.any(|volume| volume.name == name && volume.empty_dir.is_some())
        };
        let mounts = container.volume_mounts.as_deref().unwrap_or_default();
        let mounts = root::mounts(mounts, &self.folder.join("volumes"), emptied);
        let security = container.security_context.as_ref();
        let read_only = security.and_then(|security| security.read_only_root_filesystem).unwrap_or(false);
        let script =
            root::script(&self.folder.join("root"), &self.image, &mounts, self.user, read_only, &environment, &command);
        let path = self.folder.join("start.sh");
        script.and_then(|script| fs::write(&path, script)).map_err(|error| error.to_string())?;
        Ok(path)
    }

    /// Writes what has changed in the volumes.
    fn write_volumes(&mut self) -> Result<(), String> {
        for volume in self.facts.spec().volumes.iter().flatten() {
            let files = volumes::files(volume, &self.facts, &self.shared.watched.read(), &self.tokens)?;
            let Some(files) = files.filter(|files| self.written.get(&volume.name) != Some(files)) else { continue };
            let folder = self.folder.join("volumes").join(&volume.name);
            volume_files::publish(&folder, &files, self.user).map_err(|error| error.to_string())?;
            self.written.insert(volume.name.clone(), files);
        }
        Ok(())
    }

    /// Says where the pod is to be found.
    fn announce(&self, container: Option<&Container>) {
        let running = Running {
            uid: self.facts.uid.clone(),
            network: Arc::clone(&self.network),
            process: container.map(Container::pid),
        };
        self.shared.running.lock().insert((self.facts.namespace.clone(), self.facts.name.clone()), running);
    }

    async fn publish(&self, api: &Api<Pod>) {
        let status = Patch::Merge(self.status.object(&self.facts));
        let patched = api.patch_status(&self.facts.name, &PatchParams::default(), &status).await;
        match patched {
            Err(kube::Error::Api(refused)) if refused.code == 404 => {}
            Err(error) => self.shared.problem(format!("{}: its status: {error}", self.facts.name)),
            Ok(_) => {}
        }
    }

    fn object(&self) -> Option<DynamicObject> {
        object(&self.shared, &self.facts.namespace, &self.facts.name, &self.facts.uid)
    }

    fn deletion(&self) -> Option<End> {
        ending(&self.shared, &self.facts)
    }

    fn log(&self) -> PathBuf {
        self.shared.log(&self.facts.namespace, &self.facts.name)
    }
}

fn ending(shared: &Shared, facts: &Facts) -> Option<End> {
    match object(shared, &facts.namespace, &facts.name, &facts.uid) {
        None => Some(End::Gone),
        Some(object) => object.metadata.deletion_timestamp.is_some().then_some(End::Deleted),
    }
}

async fn deletion(shared: &Shared, facts: &Facts, changed: &mut watch::Receiver<()>) -> End {
    loop {
        if let Some(end) = ending(shared, facts) {
            return end;
        }
        let _node_ended = changed.changed().await;
    }
}

fn object(shared: &Shared, namespace: &str, name: &str, uid: &str) -> Option<DynamicObject> {
    let object = shared.watched.get(Kind::Pod, namespace, name)?;
    (object.metadata.uid.as_deref() == Some(uid)).then(|| object.clone())
}

async fn gone_or_deleted(shared: &Shared, of: &DynamicObject) {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (namespace, name, uid) = (text(&of.metadata.namespace), text(&of.metadata.name), text(&of.metadata.uid));
    let mut changed = shared.watched.subscribe();
    while object(shared, &namespace, &name, &uid).is_some_and(|pod| pod.metadata.deletion_timestamp.is_none()) {
        let _node_ended = changed.changed().await;
    }
}

async fn bind(shared: &Shared, namespace: &str, name: &str) -> Result<(), kube::Error> {
    let binding = json!({
        "apiVersion": "v1", "kind": "Binding", "metadata": {"name": name},
        "target": {"apiVersion": "v1", "kind": "Node", "name": shared.name},
    });
    let path = format!("/api/v1/namespaces/{namespace}/pods/{name}/binding");
    let request = http::Request::post(path).header("content-type", "application/json");
    let request = request.body(binding.to_string().into_bytes()).map_err(kube::Error::HttpError)?;
    shared.client.request::<serde_json::Value>(request).await.map(drop)
}

async fn remove(api: &Api<Pod>, object: &DynamicObject) {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    delete(api, &text(&object.metadata.name), &text(&object.metadata.uid)).await;
}

/// Says that a pod is no more; another of its name is left alone.
async fn delete(api: &Api<Pod>, name: &str, uid: &str) {
    let preconditions = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
    let at_once =
        DeleteParams { grace_period_seconds: Some(0), preconditions: Some(preconditions), ..DeleteParams::default() };
    let _gone_already = api.delete(name, &at_once).await;
}
