/* What the checks of a Windows binary need and wine has no command for; .ci/targets compiles it.
 *
 *   windows.exe console EVENT COMMAND...   starts it, and sends it a console event when a line comes on stdin: 1 for
 *                                          Ctrl-Break, 2 for a console that is closed, 5 for logging off, 6 for shutdown
 *   windows.exe detached COMMAND...        starts it without a console and without standard handles, as a task or a
 *                                          service is started, and ends with its exit code
 *   windows.exe trust FILE                 puts a certificate (DER) into the user's store of roots
 */
#include <stdio.h>
#include <string.h>
#include <windows.h>
#include <wincrypt.h>

/* The rest of the command line, quotes and all, after COUNT words without blanks in them. */
static char *after(int count) {
    char *rest = GetCommandLineA();
    while (count-- > 0) {
        if (*rest == '"') rest = strchr(rest + 1, '"') + 1;
        else while (*rest && *rest != ' ') rest++;
        while (*rest == ' ') rest++;
    }
    return rest;
}

static int ended(PROCESS_INFORMATION *command) {
    DWORD code = 99;
    WaitForSingleObject(command->hProcess, INFINITE);
    GetExitCodeProcess(command->hProcess, &code);
    return code;
}

int main(int count, char **words) {
    STARTUPINFOA start = {.cb = sizeof start};
    PROCESS_INFORMATION command;
    if (count > 3 && !strcmp(words[1], "console")) {
        /* By a thread in it that calls its handlers, as the console does. The call for that, GenerateConsoleCtrlEvent,
           fails under wine without a window. */
        FARPROC routine = GetProcAddress(GetModuleHandleA("kernelbase.dll"), "CtrlRoutine");
        if (!CreateProcessA(NULL, after(3), NULL, NULL, TRUE, 0, NULL, NULL, &start, &command)) return 98;
        getchar();
        ULONG_PTR event = atoi(words[2]);
        HANDLE handler = !routine ? NULL : CreateRemoteThread(command.hProcess, NULL, 0, (LPTHREAD_START_ROUTINE)routine,
                                                              (void *)event, 0, NULL);
        DWORD code = 0;
        if (!handler) return 97;
        /* Of these Windows ends the process as soon as the handlers have returned, and after five seconds at the latest;
           wine does not. A thread that the process itself has ended has the code of the process. */
        if (event > 1 && (WaitForSingleObject(handler, 5000) || !GetExitCodeThread(handler, &code) || code < 2))
            TerminateProcess(command.hProcess, 0xC000013A);
        return ended(&command);
    }
    if (count > 2 && !strcmp(words[1], "detached")) {
        start.dwFlags = STARTF_USESTDHANDLES;
        start.hStdInput = start.hStdOutput = start.hStdError = INVALID_HANDLE_VALUE;
        if (!CreateProcessA(NULL, after(2), NULL, NULL, FALSE, DETACHED_PROCESS, NULL, NULL, &start, &command)) return 98;
        return ended(&command);
    }
    if (count == 3 && !strcmp(words[1], "trust")) {
        static unsigned char der[65536];
        FILE *file = fopen(words[2], "rb");
        size_t length = file ? fread(der, 1, sizeof der, file) : 0;
        HCERTSTORE store = CertOpenStore(CERT_STORE_PROV_SYSTEM_A, 0, 0, CERT_SYSTEM_STORE_CURRENT_USER, "ROOT");
        return length && store && CertAddEncodedCertificateToStore(store, X509_ASN_ENCODING, der, (DWORD)length,
                                                                   CERT_STORE_ADD_REPLACE_EXISTING, NULL)
                   && CertCloseStore(store, 0) ? 0 : 96;
    }
    return 95;
}
