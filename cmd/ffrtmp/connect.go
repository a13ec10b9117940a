package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/certs"
	"github.com/ffrtmp/ffrtmp/internal/cli"
	"github.com/ffrtmp/ffrtmp/internal/flags"
)

// connect returns a client for the masters of the settings. The caller closes it.
func (c *command) connect() (*client.Client, error) {
	return c.connectTo(c.settings.Masters, c.patience)
}

// connectTo returns a client for masters that repeats a call for as long as patience. The caller closes it.
func (c *command) connectTo(masters []string, patience time.Duration) (*client.Client, error) {
	s := &c.settings
	store, err := certs.Open(certs.Files{Cert: s.Cert, Key: s.Key, CA: s.CA}, nil)
	if err != nil {
		return nil, flags.Usagef("--ca, --cert, --key: %v", err)
	}
	cfg := client.Config{Masters: masters, APIKey: s.APIKey, TLS: store.Client(), Patience: patience}
	cfg.TLS.InsecureSkipVerify = s.Insecure
	if !s.Insecure {
		cfg.DialTLS = store.DialTLS // a watch may outlive the CA
	}
	cfg.Wrap = func(rt http.RoundTripper) http.RoundTripper { return c.tracer.Transport(rt, "call") }
	cl, err := client.New(cfg)
	if err != nil {
		return nil, flags.Usagef("--master: %v", err)
	}
	return cl, nil
}

// with connects, runs do and closes the client. ctx ends after --timeout, if the command has one.
func (c *command) with(cmd *cobra.Command, do func(context.Context, *client.Client) error) error {
	cl, err := c.connect()
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := c.reading.limit(cmd.Context())
	defer cancel()
	return do(ctx, cl)
}

// reading are the flags of the commands that only read.
type reading struct {
	stale   bool
	timeout time.Duration
}

// register gives a command that only reads its flags, and returns it.
func (r *reading) register(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().BoolVar(&r.stale, "stale", false, "accept the state of any master, which may be old")
	cmd.Flags().DurationVar(&r.timeout, "timeout", 0,
		"give up after this time (default: once no master has answered for 10s)")
	return cmd
}

// options are the options of a read.
func (r *reading) options() []client.Option {
	if r.stale {
		return []client.Option{client.Stale(0)}
	}
	return nil
}

func (r *reading) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if r.timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, r.timeout, timeoutError{r.timeout})
}

// timeoutError ends a command after its --timeout.
type timeoutError struct{ after time.Duration }

func (e timeoutError) Error() string { return fmt.Sprintf("timed out after %s", e.after) }
func (e timeoutError) Unwrap() error { return context.DeadlineExceeded }

// listing describes a command that prints everything of one kind.
type listing[T any] struct {
	short    string
	noun     string
	none     string // printed for an empty list
	fetch    func(*client.Client, context.Context, ...client.Option) ([]T, error)
	document func([]T) any
	table    func([]T) cli.HumanWriter
}

func (l listing[T]) command(c *command) *cobra.Command {
	return c.reading.register(&cobra.Command{
		Use:   "list",
		Short: l.short,
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd, func(ctx context.Context, cl *client.Client) error {
				list, err := l.fetch(cl, ctx, c.reading.options()...)
				switch {
				case err != nil:
					return fmt.Errorf("list %ss: %w", l.noun, err)
				case len(list) == 0:
					return c.print(l.document([]T{}), cli.Line(l.none))
				}
				return c.print(l.document(list), l.table(list), cli.Line(cli.Count(len(list), l.noun)+"."))
			})
		},
	})
}

// candidate is an object that an argument may name.
type candidate struct {
	id, name string
	byID     bool // only its whole id names it
}

// resolve returns the id that ref names: an id, an unambiguous prefix of one, or a name. list is the command that lists
// the candidates.
func resolve(ref, noun, list string, candidates []candidate) (string, error) {
	var found []string
	for _, one := range candidates {
		if one.id == ref {
			return one.id, nil
		}
		if !one.byID && (one.name == ref || len(ref) >= 4 && strings.HasPrefix(one.id, ref)) {
			found = append(found, one.id)
		}
	}
	slices.Sort(found)
	switch len(found) {
	case 0:
		return "", ffrtmp.Errorf(ffrtmp.NotFound, "no such %s (see %s)", noun, list)
	case 1:
		return found[0], nil
	}
	return "", ffrtmp.Errorf(ffrtmp.Conflict, "ambiguous: use one of the ids %s", strings.Join(found, ", "))
}
