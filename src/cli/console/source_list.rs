//! What the sources of a run do, on stderr: when SIGUSR1 asks for it, and once when half of the deadline is over.

use std::time::Duration;

use roundup::event_loop::{EventLoop, Handle, Task, TaskInfo, TaskTable, sleep, unblock};
use roundup::fetcher::{RunSnapshot, Stopper};
use roundup::units::DisplayDuration;
use roundup::{Redactor, printable};

use super::live::{doing, holds};
use super::message::complain_all;

/// The most sources that are shown. The first have waited longest.
const MOST_SOURCES: usize = 10;
/// The most tasks that are shown.
const MOST_TASKS: usize = 100;

/// Shows the sources of a run.
#[derive(Clone, Debug)]
pub(crate) struct SourceList {
    pub(crate) stopper: Stopper,
    /// Hides secrets of the plan, which names may contain.
    pub(crate) redactor: Redactor,
    /// Whether the tasks of the event loop are shown, too.
    pub(crate) tasks: bool,
}

impl SourceList {
    /// Shows them whenever SIGUSR1 comes, until the returned task is dropped. Windows has no such signal.
    #[cfg(unix)]
    pub(crate) fn listen(self, event_loop: &EventLoop) -> Option<Task<()>> {
        use futures_lite::StreamExt;
        // Best effort: if the signal cannot be watched, it ends the program as it does by default.
        let mut signals = async_signal::Signals::new([async_signal::Signal::Usr1]).ok()?;
        let handle = event_loop.handle();
        Some(event_loop.spawn_named("SIGUSR1", async move {
            while signals.next().await.is_some() {
                self.show(&handle, "SIGUSR1").await;
            }
        }))
    }

    #[cfg(not(unix))]
    pub(crate) fn listen(self, _: &EventLoop) -> Option<Task<()>> {
        None
    }

    /// Shows them once, when the second half of the deadline begins.
    pub(crate) fn watch_deadline(self, event_loop: &EventLoop, deadline: Duration) -> Task<()> {
        let handle = event_loop.handle();
        event_loop.spawn_named("half of the deadline", async move {
            sleep(deadline / 2).await;
            self.show(&handle, &format!("half of the deadline of {} is over", DisplayDuration(deadline))).await;
        })
    }

    async fn show(&self, handle: &Handle, why: &str) {
        let Some(snapshot) = self.stopper.snapshot(MOST_SOURCES) else { return };
        let mut lines = source_lines(&snapshot, why);
        if let Some(tasks) = handle.tasks().filter(|_| self.tasks) {
            lines.extend(task_lines(&tasks));
        }
        let lines: Vec<String> = lines.iter().map(|line| printable(&self.redactor.redact(line), &[]).into()).collect();
        // A terminal that is held up by Ctrl-S must not hold up the loop.
        unblock(move || complain_all(&lines)).await;
    }
}

/// A line of counts, then the sources that have been under way longest and those that are tried again, then what holds back
/// others; at most ten in all, and how many more there are.
fn source_lines(snapshot: &RunSnapshot, why: &str) -> Vec<String> {
    let status = &snapshot.status;
    let under_way = status.in_flight + snapshot.retrying_total;
    let not_begun = status.total.saturating_sub(status.done + under_way);
    let mut lines = vec![format!(
        "{why}: {} of {} sources done, {} in flight, {} to try again, {not_begun} not begun",
        status.done, status.total, status.in_flight, snapshot.retrying_total
    )];
    let shown: Vec<_> = snapshot.running.iter().chain(&snapshot.retrying).take(MOST_SOURCES).collect();
    lines.extend(shown.iter().map(|source| format!("  {}: {}", source.name, doing(source, false))));
    let more = under_way.saturating_sub(shown.len());
    if more > 0 {
        lines.push(format!("  and {more} more"));
    }
    let room = MOST_SOURCES.saturating_sub(shown.len());
    lines.extend(holds(snapshot).take(room).map(|(what, why)| format!("  {what}: {why}")));
    lines
}

fn task_lines(tasks: &[TaskInfo]) -> Vec<String> {
    let shown = &tasks[..tasks.len().min(MOST_TASKS)];
    let count = if tasks.len() == 1 { "1 task".to_owned() } else { format!("{} tasks", tasks.len()) };
    let mut lines = vec![count];
    lines.extend(TaskTable(shown).to_string().lines().map(str::to_owned));
    if shown.len() < tasks.len() {
        lines.push(format!("  and {} more", tasks.len() - shown.len()));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_tasks_are_counted_and_the_first_shown() {
        let event_loop = EventLoop::builder().slow_poll(Duration::MAX).build();
        let tasks: Vec<_> = (0..102).map(|_| event_loop.spawn(std::future::pending::<()>())).collect();
        let lines = task_lines(&event_loop.tasks().expect("a list"));
        assert_eq!((&*lines[0], &*lines[102]), ("102 tasks", "  and 2 more"));
        assert!(lines[101].contains("  task-100  "), "{lines:?}");
        drop(tasks);
    }
}
