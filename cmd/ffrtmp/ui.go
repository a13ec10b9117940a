package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/cli"
)

func (c *command) ui() *cobra.Command {
	var noOpen bool
	cmd := &cobra.Command{
		Use:   "ui",
		Short: "Open the web console in a browser, signed in",
		Long: `Open the web console of the first master that answers, signed in with the rights of your
API key. Your key stays here: the browser gets another one, which opens one session
within a minute. It is handed over by a page on 127.0.0.1 that is served once, so it is
in no process listing, and it is never sent in an address.

Without a browser ($BROWSER, or xdg-open on a desktop), or with --no-open, the address is
printed instead. It works once: do not share it.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd, func(ctx context.Context, cl *client.Client) error {
				return c.openConsole(ctx, cl, noOpen)
			})
		},
	}
	cmd.Flags().BoolVar(&noOpen, "no-open", false, "print the address instead of opening a browser")
	return cmd
}

// consoleAddress is the result of ffrtmp ui.
type consoleAddress struct {
	URL       string    `json:"url"`
	Opened    bool      `json:"opened"` // by a browser; URL contains no key then
	ExpiresAt time.Time `json:"expires_at"`
}

func (c *command) openConsole(ctx context.Context, cl *client.Client, noOpen bool) error {
	key, err := cl.SignInKey(ctx)
	if err != nil {
		return fmt.Errorf("open the console: %w", err)
	}
	console := c.console(ctx, cl)
	address := consoleAddress{URL: console + "login#" + key.Secret, ExpiresAt: key.ExpiresAt.UTC()}
	if browser := c.browser(); browser != "" && !noOpen {
		if err := handOver(ctx, browser, address.URL); err == nil {
			address.URL, address.Opened = console, true
			return c.print(address, cli.Line("Opened "+console))
		}
		fmt.Fprintf(c.err, "The browser %s did not open the console. Open this address:\n", browser)
	}
	return c.print(address, cli.Line(address.URL))
}

// console returns the address of the console on the first master that answers.
func (c *command) console(ctx context.Context, cl *client.Client) string {
	first := ""
	for _, url := range c.settings.Masters {
		if !strings.Contains(url, "://") {
			url = "https://" + url
		}
		url = strings.TrimRight(url, "/") + "/ui/"
		first = cmp.Or(first, url)
		if _, err := cl.Health(ctx, strings.TrimSuffix(url, "/ui/")); err == nil {
			return url
		}
	}
	return first
}

// browser returns the program that opens an address, "" without one.
func (c *command) browser() string {
	name := c.env["BROWSER"]
	switch {
	case name != "":
		name, _, _ = strings.Cut(name, ":")
	case runtime.GOOS == "darwin":
		name = "open"
	case c.env["DISPLAY"] != "" || c.env["WAYLAND_DISPLAY"] != "":
		name = "xdg-open"
	default:
		return ""
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return ""
	}
	return path
}

// handOver makes a browser open an address that must not be in a process listing. The browser is given another one, of
// this process, which leads there once.
func handOver(ctx context.Context, browser, address string) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	path := "/" + rand.Text()
	served := make(chan struct{})
	server := &http.Server{Handler: leadOnce(path, address, served), ReadHeaderTimeout: 10 * time.Second}
	var ended sync.WaitGroup
	ended.Go(func() { _ = server.Serve(listener) }) // it ends with Shutdown
	defer ended.Wait()
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = server.Shutdown(ctx) // an error means that the browser keeps its connection
	}()
	// The browser may outlive this command.
	opener := exec.CommandContext(context.WithoutCancel(ctx), browser, "http://"+listener.Addr().String()+path)
	if err := opener.Start(); err != nil {
		return err
	}
	return opened(ctx, opener, served)
}

// browserTime is how long a browser may take to start: the key lives longer, for an address that is typed.
const browserTime = 20 * time.Second

// opened waits until the browser has come, or its program has failed.
func opened(ctx context.Context, opener *exec.Cmd, served <-chan struct{}) error {
	failed := make(chan error, 1)
	go func() {
		if err := opener.Wait(); err != nil {
			failed <- err
		}
	}()
	timer := time.NewTimer(browserTime)
	defer timer.Stop()
	select {
	case <-served:
		return nil
	case err := <-failed:
		return err
	case <-timer.C:
		return errors.New("the browser did not come")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// leadOnce leads the first request of path to an address.
func leadOnce(path, address string, served chan<- struct{}) http.Handler {
	var once sync.Once
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != path {
			http.NotFound(w, r)
			return
		}
		first := false
		once.Do(func() { first = true })
		if !first {
			http.Error(w, "this address works once", http.StatusGone)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Referrer-Policy", "no-referrer")
		http.Redirect(w, r, address, http.StatusSeeOther)
		close(served)
	})
}
