//! What is said of tasks: plain data, and how people read it.

use std::borrow::Cow;
use std::fmt;
use std::panic::Location;
use std::time::Duration;

/// A task that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskInfo {
    /// In the order in which the tasks of this loop were spawned, from 1.
    pub id: u64,
    /// What it was called, or `task-` and its number.
    pub name: Cow<'static, str>,
    /// Where it was spawned.
    pub place: &'static Location<'static>,
    /// How long ago.
    pub age: Duration,
    /// How often it was polled, the current poll included.
    pub polls: u64,
    /// How long its polls took together, without the current one.
    pub busy: Duration,
    /// What it does now.
    pub state: TaskState,
}

/// What a task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskState {
    /// It is the one that is polled now.
    Running,
    /// Was woken, or is new, and waits for its turn.
    Ready,
    /// Waits to be woken.
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

/// A table of tasks, a line each, as `python -m asyncio ps` has it.
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
            let (age, busy) = (Short(task.age), Short(task.busy));
            let (id, state, polls, place) = (task.id, task.state, task.polls, task.place);
            let name = name(task);
            writeln!(f, "{id:>6}  {name:<width$}  {state:<7}  {age:>8}  {polls:>8}  {busy:>8}  {place}")?;
        }
        Ok(())
    }
}

/// A poll that held the loop for longer than it may.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlowPoll {
    /// The number of the task.
    pub id: u64,
    /// What it is called.
    pub name: Cow<'static, str>,
    /// Where it was spawned.
    pub place: &'static Location<'static>,
    /// How long it has held the loop.
    pub held: Duration,
    /// How many other tasks were ready and waited meanwhile.
    pub waiting: usize,
    /// Whether the poll has ended. It is reported while it lasts, once more each time that its length has doubled, and
    /// when it has ended.
    pub over: bool,
}

impl fmt::Display for SlowPoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = Short(self.held);
        write!(f, "task {} (spawned at {}) ", printable(&self.name), self.place)?;
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

/// As people read it at a glance.
struct Short(Duration);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.0.as_micros() {
            micros @ 0..1_000 => format!("{micros}us"),
            micros @ 1_000..10_000_000 => format!("{}ms", micros / 1_000),
            micros => format!("{}.{}s", micros / 1_000_000, micros / 100_000 % 10),
        };
        f.pad(&text)
    }
}

/// Names can come from anywhere, and a terminal obeys control characters.
fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(name: &'static str, state: TaskState) -> TaskInfo {
        let (age, busy) = (Duration::from_micros(1_204_567), Duration::from_nanos(1_500_900));
        TaskInfo { id: 1, name: name.into(), place: Location::caller(), age, polls: 3, busy, state }
    }

    #[test]
    fn a_table_lines_up_and_hides_control_characters() {
        let table = TaskTable(&[info("main", TaskState::Running), info("a\x1b[2Jb", TaskState::Waiting)]).to_string();
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[0], "    ID  NAME    STATE         AGE     POLLS      BUSY  SPAWNED AT");
        assert!(lines[1].starts_with("     1  main    running    1204ms         3       1ms  src"), "{table}");
        assert!(lines[2].starts_with("     1  a\u{fffd}[2Jb  waiting"), "{table}");
    }

    #[test]
    fn times_are_short() {
        let short = |nanos| Short(Duration::from_nanos(nanos)).to_string();
        assert_eq!(short(999_999), "999us");
        assert_eq!(short(1_000_000), "1ms");
        assert_eq!(short(9_999_999_999), "9999ms");
        assert_eq!(short(63_250_000_000), "63.2s");
    }

    #[test]
    fn a_slow_poll_says_who_where_how_long_and_who_waited() {
        let place = Location::caller();
        let held = Duration::from_millis(250);
        let mut slow = SlowPoll { id: 1, name: "parse".into(), place, held, waiting: 2, over: false };
        let at = format!("task parse (spawned at {place}) ");
        assert_eq!(slow.to_string(), format!("{at}has held the loop for 250ms and still does; 2 others wait"));
        slow.over = true;
        slow.waiting = 0;
        assert_eq!(slow.to_string(), format!("{at}held the loop for 250ms"));
    }
}
