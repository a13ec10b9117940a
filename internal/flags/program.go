package flags

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/ffrtmp/ffrtmp/internal/version"
)

// ErrVersion says that the command line asks for the version alone.
var ErrVersion = errors.New("version")

// Process is what a daemon gets from its surroundings.
type Process struct {
	Hangups        <-chan os.Signal
	Args           []string
	Lookup         func(name string) (value string, ok bool) // of the environment
	Stdout, Stderr io.Writer
}

// Main calls run with a context that SIGTERM or SIGINT ends, and exits with the status that it returns.
func Main(run func(context.Context, Process) int) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	status := run(ctx, Process{
		Hangups: hangups, Args: os.Args[1:], Lookup: os.LookupEnv, Stdout: os.Stdout,
		Stderr: standardError(os.Stderr, os.LookupEnv),
	})
	stop()
	os.Exit(status)
}

// NewSet returns the empty flag set of a daemon.
func NewSet(program string) *pflag.FlagSet {
	fs := pflag.NewFlagSet(program, pflag.ContinueOnError)
	fs.Usage = func() {}
	return fs
}

// ParseDaemon adds --version to the flags of a daemon and reads them like Parse. Its errors are Parse's and ErrVersion;
// usage, the text of --help, is returned with them, too.
func ParseDaemon(fs *pflag.FlagSet, args []string, lookup func(string) (string, bool)) (usage string, err error) {
	version := fs.Bool("version", false, "print the version and exit")
	usage = fmt.Sprintf("Usage: %s [flags]\n\nEvery flag can also be set by the environment, as %s<NAME>.\n\n%s",
		fs.Name(), EnvPrefix, fs.FlagUsages())
	if err := Parse(fs, args, lookup); err != nil {
		return usage, err
	}
	if *version {
		return usage, ErrVersion
	}
	return usage, nil
}

// Report tells a daemon's user what came of the command line or of the run, and
// returns the exit status: 0 done, 1 failed, 2 usage.
func Report(program string, err error, usage string, stdout, stderr io.Writer) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, pflag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return 0
	case errors.Is(err, ErrVersion):
		fmt.Fprintln(stdout, version.Line(program))
		return 0
	}
	fmt.Fprintf(stderr, "%s: %v\n", program, err)
	if errors.Is(err, ErrUsage) {
		return 2
	}
	return 1
}

// OnHangup calls f for every signal that comes in, one at a time. The function that
// it returns ends that, and waits for a call under way.
func OnHangup(hangups <-chan os.Signal, f func()) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-hangups:
				f()
			case <-quit:
				return
			}
		}
	}()
	return func() { close(quit); <-done }
}

// APIKey returns the API key from --api-key (when set), else from the file that
// --api-key-file names, else from v2.2's variables, and whether there is any. A
// key that is set may be empty; as in v2.2, an empty --api-key leaves it to the other sources.
//
// A file may hold several keys, see Keys.
func APIKey(fs *pflag.FlagSet, lookup func(string) (string, bool)) (key string, set bool, err error) {
	flag := fs.Lookup("api-key")
	if flag.Changed && flag.Value.String() != "" {
		return flag.Value.String(), true, nil
	}
	if file := fs.Lookup("api-key-file").Value.String(); file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return "", false, fmt.Errorf("--api-key-file: %w", err)
		}
		return strings.TrimSpace(string(data)), true, nil
	}
	for _, name := range []string{"MASTER_API_KEY", "FFMPEG_RTMP_API_KEY"} {
		if key, set = lookup(name); set {
			return key, true, nil
		}
	}
	return "", flag.Changed, nil
}

// Keys are the API keys in a text, one a line. A master accepts each of them; a client uses the first.
func Keys(text string) []string {
	var keys []string
	for line := range strings.Lines(text) {
		if key := strings.TrimSpace(line); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

// FirstKey is the key that a client uses, "" for none.
func FirstKey(text string) string {
	if keys := Keys(text); len(keys) > 0 {
		return keys[0]
	}
	return ""
}
