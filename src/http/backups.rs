//! `POST /v1/admin/backups`: a copy of what the node holds, made beside its other work.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};

use crate::{
    http::{App, Problem},
    node::Backup,
};

/// Where backups go, and the last one.
#[derive(Debug, Default)]
pub(super) struct Backups {
    dir: Option<PathBuf>,
    last: Mutex<Option<Arc<Backup>>>,
}

/// A backup, as it stands.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Backup)]
pub struct BackupView {
    /// Its name.
    pub name: String,
    /// Where it is, or will be, on the node's machine.
    pub path: String,
    /// `running`, `done` or `failed`.
    pub state: String,
    /// How long its files are.
    pub bytes: u64,
    /// How much of them has been read, so that it is known what they are.
    pub bytes_done: u64,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Backups {
    /// Those that go into a directory, if there is one.
    pub(super) fn into(dir: Option<PathBuf>) -> Self {
        Self { dir, last: Mutex::default() }
    }

    fn last(&self) -> MutexGuard<'_, Option<Arc<Backup>>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[utoipa::path(
    post,
    path = "/v1/admin/backups",
    tag = "operating",
    operation_id = "makeBackup",
    summary = "Make a backup",
    description = "Into the directory that the operator has configured as `backup.dir`; one at a time. The answer comes when it has begun.",
    responses((status = 202, description = "It is being made.", body = BackupView)),
    extensions(("x-problems" = json!(["no-backup-dir", "backup-running"]))),
)]
pub(super) async fn make(State(app): State<App>) -> Result<(StatusCode, Json<BackupView>), Problem> {
    let backups = app.backups();
    let dir = backups.dir.as_ref().ok_or(Problem::NoBackupDir)?;
    let mut last = backups.last();
    if last.as_ref().is_some_and(|backup| backup.ended().is_none()) {
        return Err(Problem::BackupRunning);
    }
    let backup = app.node().back_up(dir);
    *last = Some(Arc::clone(&backup));
    Ok((StatusCode::ACCEPTED, Json(view(&backup))))
}

#[utoipa::path(
    get,
    path = "/v1/admin/backups/{name}",
    tag = "operating",
    operation_id = "readBackup",
    summary = "Ask how far a backup is",
    description = "The last one of this life; of earlier ones nothing is known but what stands in the directory.",
    params(("name" = String, Path, description = "Its name, as the answer gave it that began it.")),
    responses((status = 200, description = "How far it is.", body = BackupView)),
    extensions(("x-problems" = json!(["no-such-path"]))),
)]
pub(super) async fn read(
    State(app): State<App>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<BackupView>, Problem> {
    let Path(name) = name.map_err(|_| Problem::NoSuchPath)?;
    let last = app.backups().last();
    let backup = last.as_ref().filter(|backup| backup.name == name).ok_or(Problem::NoSuchPath)?;
    Ok(Json(view(backup)))
}

fn view(backup: &Backup) -> BackupView {
    let (bytes, bytes_done) = backup.progress();
    let (state, why) = match backup.ended() {
        None => ("running", None),
        Some(Ok(())) => ("done", None),
        Some(Err(why)) => ("failed", Some(why)),
    };
    let path = backup.path.display().to_string();
    BackupView { name: backup.name.clone(), path, state: state.to_owned(), bytes, bytes_done, why }
}
