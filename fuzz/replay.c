/* Runs a fuzz target over the files of a folder: replay FOLDER. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { INPUT_BYTES_MAX = 1 << 20 };

/* Gives false when there is no such file, or it is too large to be a seed. */
static int replay_file(const char *path)
{
    struct stat info;
    FILE *file = fopen(path, "rb");
    if (!file || fstat(fileno(file), &info) != 0) return 0;
    if (!S_ISREG(info.st_mode) || info.st_size > INPUT_BYTES_MAX) {
        fclose(file);
        return S_ISDIR(info.st_mode); /* . and .. */
    }
    size_t n_bytes = (size_t)info.st_size;
    /* Exactly as large as the input, so that the sanitizer sees a read past its end. */
    uint8_t *bytes = malloc(n_bytes ? n_bytes : 1);
    int whole = bytes && fread(bytes, 1, n_bytes, file) == n_bytes;
    fclose(file);
    if (whole) LLVMFuzzerTestOneInput(bytes, n_bytes);
    free(bytes);
    return whole;
}

int main(int argc, char **argv)
{
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    if (!folder) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    int n = 0;
    for (struct dirent *entry; (entry = readdir(folder)); n++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        if (!replay_file(path)) {
            fprintf(stderr, "cannot replay %s\n", path);
            return 1;
        }
    }
    closedir(folder);
    if (n < 3) {
        fprintf(stderr, "no seeds in %s\n", argv[1]);
        return 1;
    }
    printf("%d inputs\n", n - 2);
    return 0;
}
