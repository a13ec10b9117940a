package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/cli"
	"github.com/ffrtmp/ffrtmp/internal/flags"
	"github.com/ffrtmp/ffrtmp/internal/gossipkey"
)

func (c *command) gossip() *cobra.Command {
	use := c.gossipVerb("use", (*client.Client).UseGossipKey, map[string]string{
		"used":      "Every master encrypts with %s.",
		"unchanged": "Every master encrypts with %s already.",
	})
	use.Short = "Let every master encrypt with an installed key"
	use.Long = `Let every master encrypt gossip with an installed key. KEY is its fingerprint, or the beginning
of it. That is refused while a master lacks the key or does not answer; with --force such a master gets
the keys when it returns.`
	remove := c.gossipVerb("remove", (*client.Client).RemoveGossipKey, map[string]string{
		"removed": "No master has %s any more.",
	})
	remove.Short = "Remove a key from every master"
	remove.Long = `Remove a key that no master encrypts with. KEY is its fingerprint, or the beginning of it. That is
refused while a master may still encrypt with it; --force overrides that, but not for the key in use.`
	cmd := group("gossip", "Rotate the keys that encrypt the masters' gossip", c.gossipInstall(), use, remove,
		c.gossipList())
	cmd.Long = `Rotate the keys that encrypt the masters' gossip, at any master, without a restart:

  (umask 077; ffrtmp gossip install > gossip.key)   a new key; every master decrypts with it
  ffrtmp gossip list                                fingerprints, and which masters have them
  ffrtmp gossip use FINGERPRINT                     every master encrypts with it
  ffrtmp gossip remove OLD-FINGERPRINT              no master knows the old one any more

Then replace the file of --gossip-key-file on each master: it counts when a new master starts.`
	return cmd
}

func (c *command) gossipInstall() *cobra.Command {
	return &cobra.Command{
		Use:   "install [FILE]",
		Short: "Give every master a key; none encrypts with it yet",
		Long: `Give every master a key that it decrypts with, and does not encrypt with yet. FILE has the key in
base64 (- for standard input). Without FILE the masters make one, which is printed once:

  (umask 077; ffrtmp gossip install > gossip.key)`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := c.readGossipKey(args)
			if err != nil {
				return err
			}
			return c.with(cmd, func(ctx context.Context, cl *client.Client) error {
				done, err := cl.InstallGossipKey(ctx, key)
				if err != nil {
					return fmt.Errorf("install gossip key: %w", err)
				}
				return c.printInstalled(done)
			})
		},
	}
}

// readGossipKey returns the key in the file that args name, in base64, or "" without one.
func (c *command) readGossipKey(args []string) (string, error) {
	if len(args) == 0 {
		return "", nil
	}
	if isGossipKey(args[0]) {
		return "", flags.Usagef("this is a key, which is now in the shell's history: install another one, from a file")
	}
	data, err := readFileOr(args[0], c.in)
	if err != nil {
		return "", fmt.Errorf("read gossip key: %w", err)
	}
	keys, err := gossipkey.Parse(data)
	if err == nil && len(keys) != 1 {
		err = fmt.Errorf("it has %s, want one", cli.Count(len(keys), "key"))
	}
	if err != nil {
		return "", flags.Usagef("%s: %v", args[0], err)
	}
	return base64.StdEncoding.EncodeToString(keys[0]), nil
}

func readFileOr(name string, stdin io.Reader) ([]byte, error) {
	const limit = 64 << 10
	if name == "-" {
		return io.ReadAll(io.LimitReader(stdin, limit))
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, limit))
	return data, errors.Join(err, f.Close())
}

// isGossipKey reports whether a word is a key itself.
func isGossipKey(word string) bool {
	keys, err := gossipkey.Parse([]byte(word))
	return err == nil && len(keys) == 1 && !isFingerprint(word)
}

// isFingerprint reports whether a word is one, or the beginning of one.
func isFingerprint(word string) bool {
	return len(word) <= 16 && strings.Trim(word, "0123456789abcdef") == ""
}

// printInstalled prints a generated key alone, ready for a file.
func (c *command) printInstalled(done ffrtmp.GossipKeyChange) error {
	text := "Every master decrypts with " + done.Fingerprint + "."
	switch {
	case done.Status == "unchanged":
		text = "The masters have " + done.Fingerprint + " already."
	case len(done.Missing) > 0:
		text = "Installed " + done.Fingerprint + "."
	}
	lines := append([]cli.HumanWriter{cli.Line(text)}, missingLines(done.Missing)...)
	if done.Key == "" {
		return c.print(done, lines...)
	}
	if c.settings.Format == cli.FormatTable {
		fmt.Fprintf(c.err, "%s Store the key now: it is not shown again.\n", text)
		for _, name := range done.Missing {
			fmt.Fprintln(c.err, missingText(name))
		}
	}
	return c.print(done, cli.Line(done.Key))
}

func missingText(name string) string {
	return "Warning: " + name + " does not answer: it gets the keys when it returns."
}

func missingLines(names []string) (lines []cli.HumanWriter) {
	for _, name := range names {
		lines = append(lines, cli.Line(missingText(name)))
	}
	return lines
}

type gossipCall func(cl *client.Client, ctx context.Context, fingerprint string, force bool, opts ...client.Option,
) (ffrtmp.GossipKeyChange, error)

// gossipVerb returns a command that changes a key; said are its texts by the status of the answer.
func (c *command) gossipVerb(verb string, call gossipCall, said map[string]string) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:               verb + " KEY",
		Args:              exactly("KEY"),
		ValidArgsFunction: atFirst(c.gossipWords()),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd, func(ctx context.Context, cl *client.Client) error {
				name, err := findGossipKey(ctx, cl, args[0])
				if err != nil {
					return err
				}
				done, err := call(cl, ctx, name, force)
				if err != nil {
					return fmt.Errorf("%s gossip key %s: %w", verb, name, err)
				}
				lines := append([]cli.HumanWriter{cli.Line(fmt.Sprintf(said[done.Status], name))},
					missingLines(done.Missing)...)
				return c.print(done, lines...)
			})
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "do it although a master does not answer or lacks the key")
	return cmd
}

// findGossipKey returns the fingerprint that ref is, or begins.
func findGossipKey(ctx context.Context, cl *client.Client, ref string) (string, error) {
	if !isFingerprint(ref) {
		return "", flags.Usagef("KEY must be a fingerprint (see ffrtmp gossip list), never a key itself")
	}
	list, err := cl.GossipKeys(ctx)
	if err != nil {
		return "", fmt.Errorf("list gossip keys: %w", err)
	}
	var candidates []candidate
	for _, k := range list.Keys {
		candidates = append(candidates, candidate{id: k.Fingerprint})
	}
	return resolve(ref, "gossip key", "ffrtmp gossip list", candidates)
}

// gossipWords offers fingerprints.
func (c *command) gossipWords() cli.Completer {
	return c.offer(func(ctx context.Context, cl *client.Client) (words []cobra.Completion, err error) {
		list, err := cl.GossipKeys(ctx)
		for _, k := range list.Keys {
			words = append(words, k.Fingerprint)
		}
		return words, err
	})
}

func (c *command) gossipList() *cobra.Command {
	return c.reading.register(&cobra.Command{
		Use:   "list",
		Short: "List the keys by fingerprint, and which masters have them",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd, func(ctx context.Context, cl *client.Client) error {
				list, err := cl.GossipKeys(ctx, c.reading.options()...)
				if err != nil {
					return fmt.Errorf("list gossip keys: %w", err)
				}
				parts := []cli.HumanWriter{gossipTable(list)}
				for _, name := range list.Unreachable {
					parts = append(parts, cli.Line("Warning: "+name+" does not answer."))
				}
				return c.print(list, parts...)
			})
		},
	})
}

func gossipTable(list ffrtmp.GossipKeyList) *cli.Table {
	t := cli.NewTable("FINGERPRINT", "PRIMARY", "MASTERS", "ENCRYPT WITH IT", "MISSING ON~")
	masters := map[string]bool{}
	for _, k := range list.Keys {
		for _, name := range k.Masters {
			masters[name] = true
		}
	}
	for _, k := range list.Keys {
		var missing []string
		for name := range masters {
			if !slices.Contains(k.Masters, name) {
				missing = append(missing, name)
			}
		}
		slices.Sort(missing)
		t.Add(k.Fingerprint, yesNo(k.Primary, ""), ofMasters(k.Masters, list), ofMasters(k.PrimaryOn, list),
			strings.Join(missing, ", "))
	}
	return t
}

func ofMasters(names []string, list ffrtmp.GossipKeyList) string {
	return fmt.Sprintf("%d of %d", len(names), list.Masters)
}
