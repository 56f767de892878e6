//! What the tasks of a run do, on stderr: when SIGUSR1 asks for it, and once when half of the deadline is over.

use std::io::Write;
use std::time::Duration;

use roundup::Redactor;
use roundup::event_loop::{EventLoop, Handle, Task, TaskInfo, TaskTable, sleep, unblock};
use roundup::units::DisplayDuration;

/// The most tasks that are shown; a screen holds no more, and the first have waited longest.
const MOST_TASKS: usize = 100;

/// How tasks are shown.
#[derive(Clone, Debug)]
pub(crate) struct Tasks {
    /// Names are made of what the plan says, secrets included.
    pub(crate) redactor: Redactor,
    /// Whether a line of progress is in the way.
    pub(crate) progress: bool,
}

impl Tasks {
    /// Shows them whenever SIGUSR1 comes, until what this returns is dropped. Where there is no such signal, nobody asks.
    #[cfg(unix)]
    pub(crate) fn listen(self, event_loop: &EventLoop) -> Option<Task<()>> {
        use futures_lite::StreamExt;
        // Without it the run can be made all the same; the signal then ends it, as it does by default.
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
        let Some(tasks) = handle.tasks() else { return };
        let text = self.text(&tasks, why);
        // A terminal that is held up by Ctrl-S must not hold up the loop.
        unblock(move || {
            let mut stderr = std::io::stderr().lock();
            let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
        })
        .await;
    }

    fn text(&self, tasks: &[TaskInfo], why: &str) -> String {
        let shown = &tasks[..tasks.len().min(MOST_TASKS)];
        let clear = if self.progress { "\r\x1b[2K" } else { "" };
        let count = match tasks.len() {
            1 => "1 task".to_owned(),
            n => format!("{n} tasks"),
        };
        let table = TaskTable(shown).to_string();
        let mut text = format!("{clear}roundup: {why}: {count}\n{}", self.redactor.redact(&table));
        if shown.len() < tasks.len() {
            text.push_str(&format!("  and {} more\n", tasks.len() - shown.len()));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_tasks_are_counted_and_the_first_shown() {
        let event_loop = EventLoop::builder().slow_poll(Duration::MAX).build();
        let tasks: Vec<_> = (0..102).map(|_| event_loop.spawn(std::future::pending::<()>())).collect();
        let shown = Tasks { redactor: Redactor::default(), progress: false };
        let text = shown.text(&event_loop.tasks().expect("a list"), "SIGUSR1");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines[0], lines[102]), ("roundup: SIGUSR1: 102 tasks", "  and 2 more"));
        assert!(lines[101].contains("  task-100  "), "{text}");
        drop(tasks);
    }
}
