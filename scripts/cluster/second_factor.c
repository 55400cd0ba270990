/* A PAM module that asks as sites with a second factor do. For tests only.
 *
 *     pam_second_factor.so ask=password dir=DIR    a password, the first line of DIR/password
 *     pam_second_factor.so ask=push dir=DIR        "1" sends a push, anything else is a passcode (DIR/passcode)
 *
 * What becomes of a push stands in DIR/answer: approve, deny, or timeout. Each question that was answered is a line
 * of DIR/attempts: the user, what was asked for, and ok or no.
 */
#define PAM_SM_AUTH
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 128, PUSH_SECONDS = 3 };

/* Read the first line of DIR/NAME; it is empty where there is none. */
static void first_line(const char *dir, const char *name, char line[LINE])
{
    char path[4096];
    FILE *file;

    line[0] = '\0';
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if ((file = fopen(path, "r")) == NULL)
        return;
    if (fgets(line, LINE, file) == NULL)
        line[0] = '\0';
    line[strcspn(line, "\n")] = '\0';
    fclose(file);
}

static void note(const char *dir, const char *user, const char *what, int ok)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof path, "%s/attempts", dir);
    if ((file = fopen(path, "a")) == NULL)
        return;
    fprintf(file, "%s %s %s\n", user, what, ok ? "ok" : "no");
    fclose(file);
}

static int ask(pam_handle_t *pam, int style, const char *question, char **answer)
{
    *answer = NULL;
    return pam_prompt(pam, style, answer, "%s", question) == PAM_SUCCESS && *answer != NULL;
}

static int password(pam_handle_t *pam, const char *dir, const char *user)
{
    char wanted[LINE], *said;
    int ok;

    if (!ask(pam, PAM_PROMPT_ECHO_OFF, "Password: ", &said))
        return 0;
    first_line(dir, "password", wanted);
    ok = wanted[0] != '\0' && strcmp(said, wanted) == 0;
    free(said);
    note(dir, user, "password", ok);
    return ok;
}

static int pushed(pam_handle_t *pam, const char *dir, const char *user)
{
    char answer[LINE];
    int ok;

    pam_prompt(pam, PAM_TEXT_INFO, NULL, "A login request was sent to your phone ...");
    first_line(dir, "answer", answer);
    if (strcmp(answer, "timeout") == 0)
        sleep(PUSH_SECONDS);
    ok = strcmp(answer, "approve") == 0;
    note(dir, user, "push", ok);
    return ok;
}

static int second(pam_handle_t *pam, const char *dir, const char *user)
{
    char wanted[LINE], *said;
    int ok;

    pam_prompt(pam, PAM_TEXT_INFO, NULL,
               "Second factor for %s. Enter a passcode, or choose:\n\n 1. push to a phone that ends in 1234\n", user);
    if (!ask(pam, PAM_PROMPT_ECHO_ON, "Passcode or option (1-1): ", &said))
        return 0;
    if (strcmp(said, "1") == 0) {
        free(said);
        return pushed(pam, dir, user);
    }
    first_line(dir, "passcode", wanted);
    ok = wanted[0] != '\0' && strcmp(said, wanted) == 0;
    free(said);
    note(dir, user, "passcode", ok);
    return ok;
}

int pam_sm_authenticate(pam_handle_t *pam, int flags, int argc, const char **argv)
{
    const char *user = NULL, *dir = NULL, *what = "";
    int ok;

    (void)flags;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "dir=", 4) == 0)
            dir = argv[i] + 4;
        if (strncmp(argv[i], "ask=", 4) == 0)
            what = argv[i] + 4;
    }
    if (dir == NULL || pam_get_user(pam, &user, NULL) != PAM_SUCCESS || user == NULL)
        return PAM_SERVICE_ERR;
    ok = strcmp(what, "push") == 0 ? second(pam, dir, user) : password(pam, dir, user);
    return ok ? PAM_SUCCESS : PAM_AUTH_ERR;
}

int pam_sm_setcred(pam_handle_t *pam, int flags, int argc, const char **argv)
{
    (void)pam, (void)flags, (void)argc, (void)argv;
    return PAM_SUCCESS;
}
