package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/ffrtmp/ffrtmp/internal/flags"
)

const defaultMaster = "https://localhost:8080"

// settings are the global flags.
type settings struct {
	masters    []string
	apiKey     string
	apiKeyFile string
	ca         string
	cert       string
	key        string
	insecure   bool
	format     format
	config     string
	tracing    flags.Tracing

	global *pflag.FlagSet
}

func (s *settings) register(root *cobra.Command) {
	s.format = formatTable
	f := root.PersistentFlags()
	f.StringSliceVar(&s.masters, "master", nil, "`URL` of a master; repeat it, or separate by commas, for several (env MASTER_URL, default "+defaultMaster+")")
	f.StringVar(&s.apiKey, "api-key", "", "API `KEY` (env MASTER_API_KEY; ps shows what stands on a command line)")
	f.StringVar(&s.apiKeyFile, "api-key-file", "", "`FILE` that holds the API key")
	f.StringVar(&s.ca, "ca", "", "`FILE` with the authority that vouches for the masters (default the system's)")
	f.StringVar(&s.cert, "cert", "", "own certificate `FILE`, for masters that demand one")
	f.StringVar(&s.key, "key", "", "`FILE` with the key of --cert")
	f.BoolVar(&s.insecure, "insecure-skip-verify", false, "trust whoever answers (development only)")
	f.VarP(&s.format, "output", "o", "`FORMAT` of what is printed: table or json")
	f.StringVar(&s.config, "config", "", "configuration `FILE`, in YAML: its keys are these flags' names (default ~/.ffrtmp/config.yaml)")
	s.tracing.Register(f)
	complete(root, "output", string(formatTable), string(formatJSON))
	s.global = f
}

// envAliases are the names that a flag has in the environment beside FFRTMP_<NAME>.
var envAliases = map[string][]string{
	"master":  {"MASTER_URL"},
	"api-key": {"MASTER_API_KEY", "FFMPEG_RTMP_API_KEY"},

	"tracing-endpoint": {"OTEL_EXPORTER_OTLP_ENDPOINT"},
}

// configAliases are v2.2's names of configuration keys.
var configAliases = map[string]string{
	"master_url": "master",
	"api_key":    "api-key",
	"token":      "api-key",
}

// source is where a setting comes from; a higher one wins.
type source int

const (
	fromConfig source = iota + 1
	fromEnv
	fromFlag
)

// resolve completes the flags of cmd from the environment and, for the global
// ones, from the configuration file, and checks what they come to.
func (c *cli) resolve(cmd *cobra.Command) error {
	set := cmd.Flags()
	sources := map[string]source{}
	set.Visit(func(f *pflag.Flag) { sources[f.Name] = fromFlag })
	if err := c.fromEnvironment(set, sources); err != nil {
		return err
	}
	if err := c.fromFile(set, sources); err != nil {
		return err
	}
	s := &c.settings
	if len(s.masters) == 0 {
		s.masters = []string{defaultMaster}
	}
	if (s.cert == "") != (s.key == "") {
		return flags.Usagef("--cert and --key go together: one of them is not set")
	}
	if err := s.tracing.Check(); err != nil {
		return err
	}
	return s.chooseKey(sources)
}

func (c *cli) fromEnvironment(set *pflag.FlagSet, sources map[string]source) error {
	var err error
	set.VisitAll(func(f *pflag.Flag) {
		if err != nil || f.Changed || f.Name == "help" || f.Name == "version" {
			return
		}
		for _, name := range append([]string{flags.EnvName(f.Name)}, envAliases[f.Name]...) {
			value, ok := c.env[name]
			if !ok {
				continue
			}
			if setErr := f.Value.Set(value); setErr != nil {
				err = flags.Usagef("%s: %q: %v", name, value, setErr)
			}
			f.Changed = true
			sources[f.Name] = fromEnv
			return
		}
	})
	return err
}

// fromFile reads the configuration file. A missing one is an error only when it
// was asked for.
func (c *cli) fromFile(set *pflag.FlagSet, sources map[string]source) error {
	name := c.settings.config
	if name == "" {
		home := c.env["HOME"]
		if home == "" {
			return nil
		}
		name = filepath.Join(home, ".ffrtmp", "config.yaml")
	}
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) && c.settings.config == "" {
		return nil
	}
	if err != nil {
		return flags.Usagef("--config: %v", err)
	}
	var values map[string]yaml.Node
	if err := yaml.Unmarshal(data, &values); err != nil {
		return flags.Usagef("%s: %s", name, strings.ReplaceAll(err.Error(), "\n", " "))
	}
	for key, node := range values {
		if err := c.fromKey(set, sources, key, node); err != nil {
			return flags.Usagef("%s: %s: %v", name, key, err)
		}
	}
	return nil
}

func (c *cli) fromKey(set *pflag.FlagSet, sources map[string]source, key string, node yaml.Node) error {
	flag := key
	if alias, ok := configAliases[key]; ok {
		flag = alias
	}
	if c.settings.global.Lookup(flag) == nil || flag == "config" {
		return fmt.Errorf("no such setting; the keys are the global flags' names, such as master and api-key-file")
	}
	// The command may have a flag of its own by this name.
	f := set.Lookup(flag)
	if sources[flag] > fromConfig {
		return nil
	}
	sources[flag] = fromConfig
	if node.Kind == yaml.ScalarNode {
		return f.Value.Set(node.Value)
	}
	var list []string
	if err := node.Decode(&list); err != nil {
		return errors.New("must be a single value or a list of them")
	}
	return f.Value.Set(strings.Join(list, ","))
}

// chooseKey leaves the API key in apiKey: the one from the higher source.
func (s *settings) chooseKey(sources map[string]source) error {
	if s.apiKeyFile == "" {
		return nil
	}
	byValue, byFile := sources["api-key"], sources["api-key-file"]
	if byValue > byFile {
		return nil
	}
	if byValue == byFile {
		return flags.Usagef("--api-key and --api-key-file are both set: leave one out")
	}
	data, err := os.ReadFile(s.apiKeyFile)
	if err != nil {
		return flags.Usagef("--api-key-file: %v", err)
	}
	if s.apiKey = strings.TrimSpace(string(data)); s.apiKey == "" {
		return flags.Usagef("--api-key-file: %s is empty", s.apiKeyFile)
	}
	return nil
}
