package devcluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestMain makes this test program stand in for master and agent, when it is called by those names.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "master":
		fakeMaster(newFlags(os.Args[1:]))
	case "agent":
		fakeAgent(newFlags(os.Args[1:]))
	default:
		os.Exit(m.Run())
	}
}

// fakeFlags are --name value pairs; the last of a name counts.
type fakeFlags map[string]string

func newFlags(args []string) fakeFlags {
	f := fakeFlags{}
	for i := 0; i+1 < len(args); i += 2 {
		f[strings.TrimPrefix(args[i], "--")] = args[i+1]
	}
	return f
}

// fakeMaster serves health over TLS, leads if told to by --lead, fails by --fail, and shows its environment.
func fakeMaster(f fakeFlags) {
	fmt.Fprintln(os.Stdout, "args", strings.Join(os.Args[1:], " "))
	if reason := f["fail"]; reason != "" {
		fmt.Fprintln(os.Stderr, reason)
		os.Exit(3)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health/ready", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /health/leader", func(w http.ResponseWriter, _ *http.Request) {
		if _, err := os.Stat(filepath.Join(filepath.Dir(f["db"]), "lead")); err != nil {
			w.WriteHeader(http.StatusTooManyRequests)
		}
	})
	mux.HandleFunc("GET /environment", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(os.Environ())
	})
	for _, other := range []string{"peer-port", "gossip-port", "metrics-port"} {
		if f[other] != "" {
			if _, err := net.Listen("tcp", f["bind"]+":"+f[other]); err != nil {
				fail(err)
			}
		}
	}
	if f["gossip-port"] != "" {
		if _, err := net.ListenPacket("udp", f["bind"]+":"+f["gossip-port"]); err != nil {
			fail(err)
		}
	}
	server := &http.Server{Addr: f["bind"] + ":" + f["port"], Handler: mux}
	endOnSIGTERM(server)
	if err := server.ListenAndServeTLS(f["cert"], f["key"]); !errors.Is(err, http.ErrServerClosed) {
		fail(err)
	}
	<-make(chan struct{}) // endOnSIGTERM exits
}

// fakeAgent starts a child in a session of its own, as agents start ffmpeg, and says where it is ready.
func fakeAgent(f fakeFlags) {
	child := exec.Command("sleep", "600")
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	child.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir()}
	if err := child.Start(); err != nil {
		fail(err)
	}
	pid := fmt.Appendln(nil, child.Process.Pid)
	if err := os.WriteFile(filepath.Join(f["state-dir"], "child"), pid, 0o600); err != nil {
		fail(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ready", func(http.ResponseWriter, *http.Request) {})
	server := &http.Server{Addr: "127.0.0.1:" + f["metrics-port"], Handler: mux}
	endOnSIGTERM(server)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		fail(err)
	}
	<-make(chan struct{})
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func endOnSIGTERM(server *http.Server) {
	ctx, _ := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	go func() {
		<-ctx.Done()
		_ = server.Close()
		fmt.Fprintln(os.Stdout, "ended by SIGTERM")
		os.Exit(0)
	}()
}

func argument(args []string, name string) string {
	i := slices.Index(args, name)
	if i < 0 {
		return ""
	}
	return args[i+1]
}
