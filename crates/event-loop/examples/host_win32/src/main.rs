//! The event loop inside a message loop of Windows.
//!
//! ```text
//! cargo run -p host_win32
//! ```
//!
//! `on_wake` posts a message to a message-only window of this thread, and the window's procedure ticks. It uses a window and
//! not `PostThreadMessage`, because menus, message boxes and moving a window run message loops of their own: those dispatch
//! the messages of windows, and drop messages that were posted to the thread.

#[cfg(windows)]
fn main() -> std::io::Result<()> {
    host::main()
}

#[cfg(not(windows))]
fn main() {
    println!("this example is for Windows: see host_poll.rs for Unix");
}

#[cfg(windows)]
mod host {
    use std::io;
    use std::net::{TcpListener, TcpStream};
    use std::ptr::null;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::{Duration, Instant};

    use async_io::Async;
    use futures_lite::{AsyncReadExt, AsyncWriteExt};
    use roundup_event_loop::{EventLoop, Handle, sleep, unblock};
    use windows_sys::Win32::Foundation::{HWND, LPARAM, LRESULT, WPARAM};
    use windows_sys::Win32::System::LibraryLoader::GetModuleHandleW;
    use windows_sys::Win32::UI::WindowsAndMessaging::{
        CreateWindowExW, DefWindowProcW, DispatchMessageW, GetMessageW, HWND_MESSAGE, KillTimer, MSG, PostMessageW,
        RegisterClassW, SetTimer, WM_APP, WM_TIMER, WNDCLASSW,
    };
    use windows_sys::w;

    /// Tells that the event loop has something to do.
    const WM_WAKE: u32 = WM_APP;
    /// How long the loops are idle at the end.
    const IDLE: Duration = Duration::from_secs(2);

    static CALLS: AtomicU32 = AtomicU32::new(0);

    thread_local! {
        /// Thread-local, because a window's procedure gets no argument that could hold it.
        static EVENT_LOOP: EventLoop = EventLoop::new();
    }

    pub(crate) fn main() -> io::Result<()> {
        let window = create_window()?;
        // A window's handle is a number, and any thread may post to it.
        let address = window as isize;
        EVENT_LOOP.with(|event_loop| {
            event_loop.on_wake(move || {
                CALLS.fetch_add(1, Ordering::SeqCst);
                // SAFETY: takes no pointers, and fails if the window is gone. It would also fail with 10,000 messages in the
                // queue, but there is never more than one of these.
                unsafe { PostMessageW(address as HWND, WM_WAKE, 0, 0) };
            });
        });

        let start = Instant::now();
        let work = EVENT_LOOP.with(|event_loop| event_loop.spawn(work()));
        let mut messages = 0;
        while !work.is_finished() {
            messages += 1;
            dispatch(&next_message()?);
        }
        let echoed = EVENT_LOOP.with(|event_loop| event_loop.run_until(work))?;
        let took = start.elapsed().as_millis();
        println!("{echoed} bytes came back, 5 sleeps and a blocking call ended, in {took} ms and {messages} messages");

        // Tasks that wait for something that does not happen: a connection, and a timer in an hour.
        let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
        EVENT_LOOP.with(|event_loop| {
            event_loop.spawn(async move { listener.accept().await.map(drop) }).detach();
            event_loop.spawn(sleep(Duration::from_secs(3600))).detach();
            event_loop.run_until_stalled();
        });
        pass(window, Duration::from_millis(100))?;
        let before = CALLS.load(Ordering::SeqCst);
        let messages = pass(window, IDLE)?;
        let calls = CALLS.load(Ordering::SeqCst) - before;
        println!("idle for {} s: {calls} calls of on_wake, {messages} messages", IDLE.as_secs());
        Ok(())
    }

    /// Dispatches messages for this long, and returns how many there were, without the timer's.
    fn pass(window: HWND, time: Duration) -> io::Result<u32> {
        // SAFETY: the window belongs to this thread, and no callback is passed.
        let timer = unsafe { SetTimer(window, 1, u32::try_from(time.as_millis()).unwrap_or(u32::MAX), None) };
        checked(timer != 0)?;
        let mut messages = 0;
        loop {
            let message = next_message()?;
            if message.message == WM_TIMER {
                // SAFETY: as above.
                unsafe { KillTimer(window, 1) };
                return Ok(messages);
            }
            messages += 1;
            dispatch(&message);
        }
    }

    fn next_message() -> io::Result<MSG> {
        let mut message = MSG::default();
        // SAFETY: the structure lives until the call returns.
        let got = unsafe { GetMessageW(&mut message, std::ptr::null_mut(), 0, 0) };
        checked(got > 0)?;
        Ok(message)
    }

    fn dispatch(message: &MSG) {
        // SAFETY: the message came from GetMessageW.
        unsafe { DispatchMessageW(message) };
    }

    extern "system" fn procedure(window: HWND, message: u32, wparam: WPARAM, lparam: LPARAM) -> LRESULT {
        if message == WM_WAKE {
            // If a task shows a message box, this is called inside of a tick, which goes on when the box is closed.
            if Handle::current().is_none() {
                EVENT_LOOP.with(EventLoop::tick);
            }
            return 0;
        }
        // SAFETY: these are the arguments that Windows has passed.
        unsafe { DefWindowProcW(window, message, wparam, lparam) }
    }

    /// A message-only window.
    fn create_window() -> io::Result<HWND> {
        let name = w!("roundup-event-loop");
        // SAFETY: a null name asks for the handle of the program itself.
        let instance = unsafe { GetModuleHandleW(null()) };
        let class =
            WNDCLASSW { lpfnWndProc: Some(procedure), hInstance: instance, lpszClassName: name, ..Default::default() };
        // SAFETY: the class and its name live until the call returns, the procedure as long as the program.
        checked(unsafe { RegisterClassW(&class) } != 0)?;
        // SAFETY: the class is registered, and the other pointers may be null.
        let window = unsafe {
            let menu = std::ptr::null_mut();
            CreateWindowExW(0, name, null(), 0, 0, 0, 0, 0, HWND_MESSAGE, menu, instance, null())
        };
        checked(!window.is_null())?;
        Ok(window)
    }

    /// The error of the last call, unless it succeeded.
    fn checked(succeeded: bool) -> io::Result<()> {
        if succeeded { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Uses a socket, timers and a blocking call.
    async fn work() -> io::Result<u32> {
        // The server has a thread of its own, so that its data is not there yet when the client reads.
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        std::thread::spawn(move || {
            let (stream, _) = listener.accept()?;
            io::copy(&mut &stream, &mut &stream)
        });
        let client = async {
            let mut stream = Async::<TcpStream>::connect(address).await?;
            let mut byte = [1];
            for _ in 0..100 {
                stream.write_all(&byte).await?;
                stream.read_exact(&mut byte).await?;
            }
            io::Result::Ok(100)
        };
        let naps = async {
            for _ in 0..5 {
                sleep(Duration::from_millis(10)).await;
            }
            unblock(|| std::thread::sleep(Duration::from_millis(10))).await;
        };
        futures_lite::future::zip(client, naps).await.0
    }
}
