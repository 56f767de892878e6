//! What the loop tells of its tasks: plain data, and how it is printed.

use std::borrow::Cow;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

/// A task that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskInfo {
    /// Numbers the tasks of a loop from 1, in the order in which they were spawned.
    pub id: u64,
    /// The name that it was spawned with, otherwise `task-` and its id.
    pub name: Cow<'static, str>,
    /// Where it was spawned.
    pub location: &'static Location<'static>,
    /// How long ago it was spawned.
    pub age: Duration,
    /// How often it was polled, including the current poll.
    pub polls: u64,
    /// How long its polls have taken together, without the current poll.
    pub busy: Duration,
    /// What it is doing.
    pub state: TaskState,
}

/// The name of a task, made from a literal, a `String`, or an `Arc<str>` that other things share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskName(Name);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    Owned(Cow<'static, str>),
    Shared(Arc<str>),
}

impl TaskName {
    pub(super) fn to_cow(&self) -> Cow<'static, str> {
        match &self.0 {
            Name::Owned(name) => name.clone(),
            Name::Shared(name) => name.to_string().into(),
        }
    }
}

impl From<&'static str> for TaskName {
    fn from(name: &'static str) -> TaskName {
        TaskName(Name::Owned(name.into()))
    }
}

impl From<String> for TaskName {
    fn from(name: String) -> TaskName {
        TaskName(Name::Owned(name.into()))
    }
}

impl From<Cow<'static, str>> for TaskName {
    fn from(name: Cow<'static, str>) -> TaskName {
        TaskName(Name::Owned(name))
    }
}

impl From<Arc<str>> for TaskName {
    fn from(name: Arc<str>) -> TaskName {
        TaskName(Name::Shared(name))
    }
}

/// What a task is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskState {
    /// It is being polled.
    Running,
    /// It was spawned or woken, and will be polled.
    Ready,
    /// It waits to be woken.
    Waiting,
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            TaskState::Running => "running",
            TaskState::Ready => "ready",
            TaskState::Waiting => "waiting",
        })
    }
}

/// Prints tasks as a table with a line for each, like `python -m asyncio ps`.
#[derive(Clone, Copy, Debug)]
pub struct TaskTable<'a>(pub &'a [TaskInfo]);

impl fmt::Display for TaskTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |task: &TaskInfo| printable(&task.name);
        let width = self.0.iter().map(|task| name(task).chars().count()).max().unwrap_or(0).clamp(4, 40);
        writeln!(
            f,
            "{:>6}  {:<width$}  {:<7}  {:>8}  {:>8}  {:>8}  SPAWNED AT",
            "ID", "NAME", "STATE", "AGE", "POLLS", "BUSY"
        )?;
        for task in self.0 {
            let (age, busy) = (ShortDuration(task.age), ShortDuration(task.busy));
            let (id, state, polls, location) = (task.id, task.state, task.polls, task.location);
            let name = name(task);
            writeln!(f, "{id:>6}  {name:<width$}  {state:<7}  {age:>8}  {polls:>8}  {busy:>8}  {location}")?;
        }
        Ok(())
    }
}

/// A poll that took longer than [`Builder::slow_poll`](crate::Builder::slow_poll) allows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlowPoll {
    /// The id of the task.
    pub id: u64,
    /// The name of the task.
    pub name: Cow<'static, str>,
    /// Where it was spawned.
    pub location: &'static Location<'static>,
    /// How long the poll has taken so far, or took.
    pub held: Duration,
    /// How many other tasks are ready and wait for it to end.
    pub waiting: usize,
    /// Whether the poll has ended. A slow poll is reported while it lasts, again each time that its length has doubled, and
    /// once more when it has ended.
    pub over: bool,
}

impl fmt::Display for SlowPoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = ShortDuration(self.held);
        write!(f, "task {} (spawned at {}) ", printable(&self.name), self.location)?;
        match self.over {
            true => write!(f, "held the loop for {held}")?,
            false => write!(f, "has held the loop for {held} and still does")?,
        }
        match self.waiting {
            0 => Ok(()),
            1 => f.write_str("; 1 other waits"),
            n => write!(f, "; {n} others wait"),
        }
    }
}

/// A duration in few characters, such as `12ms`.
struct ShortDuration(Duration);

impl fmt::Display for ShortDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.0.as_micros() {
            micros @ 0..1_000 => format!("{micros}us"),
            micros @ 1_000..10_000_000 => format!("{}ms", micros / 1_000),
            micros => format!("{}.{}s", micros / 1_000_000, micros / 100_000 % 10),
        };
        f.pad(&text)
    }
}

/// A name as it is safe to print: names can come from anywhere, and terminals interpret control characters.
fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(name: &'static str, state: TaskState) -> TaskInfo {
        let (age, busy) = (Duration::from_micros(1_204_567), Duration::from_nanos(1_500_900));
        TaskInfo { id: 1, name: name.into(), location: Location::caller(), age, polls: 3, busy, state }
    }

    #[test]
    fn a_table_lines_up_and_hides_control_characters() {
        let table = TaskTable(&[info("main", TaskState::Running), info("a\x1b[2Jb", TaskState::Waiting)]).to_string();
        let lines: Vec<&str> = table.lines().collect();
        let location = format!("1ms  {}:", file!());
        assert_eq!(lines[0], "    ID  NAME    STATE         AGE     POLLS      BUSY  SPAWNED AT");
        assert!(
            lines[1].starts_with("     1  main    running    1204ms         3       1ms  ")
                && lines[1].contains(&location)
        );
        assert!(lines[2].starts_with("     1  a\u{fffd}[2Jb  waiting"), "{table}");
    }

    #[test]
    fn durations_are_short() {
        let short = |nanos| ShortDuration(Duration::from_nanos(nanos)).to_string();
        assert_eq!(short(999_999), "999us");
        assert_eq!(short(1_000_000), "1ms");
        assert_eq!(short(9_999_999_999), "9999ms");
        assert_eq!(short(63_250_000_000), "63.2s");
    }

    #[test]
    fn a_slow_poll_tells_the_task_the_location_the_time_and_how_many_wait() {
        let location = Location::caller();
        let held = Duration::from_millis(250);
        let mut slow = SlowPoll { id: 1, name: "parse".into(), location, held, waiting: 2, over: false };
        let at = format!("task parse (spawned at {location}) ");
        assert_eq!(slow.to_string(), format!("{at}has held the loop for 250ms and still does; 2 others wait"));
        slow.over = true;
        slow.waiting = 0;
        assert_eq!(slow.to_string(), format!("{at}held the loop for 250ms"));
    }
}
