/* Runs a command and sends it a console event, as a person at a Windows console does: for .ci/targets, compiled with
 * mingw and run under wine.
 *
 * usage: console.exe EVENT COMMAND...
 *
 * EVENT is 0 for Ctrl-C and 1 for Ctrl-Break. It is sent when a line comes on stdin; the exit code is the command's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

static BOOL WINAPI ignore(DWORD event) {
    (void)event;
    return TRUE;
}

int main(int count, char **arguments) {
    char line[8192] = "", answer[16];
    STARTUPINFOA start = {.cb = sizeof start};
    PROCESS_INFORMATION child;
    DWORD code = 99;
    if (count < 3) return 98;
    for (int i = 2; i < count; i++) {
        if (strlen(line) + strlen(arguments[i]) + 4 > sizeof line) return 97;
        strcat(strcat(strcat(line, i > 2 ? " \"" : "\""), arguments[i]), "\"");
    }
    AllocConsole();
    SetConsoleCtrlHandler(ignore, TRUE);
    if (!CreateProcessA(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &start, &child)) {
        fprintf(stderr, "CreateProcess: %lu\n", GetLastError());
        return 96;
    }
    if (fgets(answer, sizeof answer, stdin) && !GenerateConsoleCtrlEvent(strtoul(arguments[1], NULL, 10), 0)) {
        fprintf(stderr, "GenerateConsoleCtrlEvent: %lu\n", GetLastError());
        TerminateProcess(child.hProcess, 95);
    }
    WaitForSingleObject(child.hProcess, INFINITE);
    GetExitCodeProcess(child.hProcess, &code);
    return (int)code;
}
