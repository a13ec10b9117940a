package cli

import (
	"errors"
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

// Settings are the global flags.
type Settings struct {
	Masters    []string // API URLs
	APIKey     string
	APIKeyFile string
	CA         string // files
	Cert       string
	Key        string
	Insecure   bool
	Format     Format
	Tracing    flags.Tracing

	config string
	global *pflag.FlagSet
}

// Register gives root the global flags.
func (s *Settings) Register(root *cobra.Command) {
	s.Format = FormatTable
	f := root.PersistentFlags()
	f.StringSliceVar(&s.Masters, "master", nil,
		"API URL of a master; may be repeated or separated by commas (env MASTER_URL, default "+defaultMaster+")")
	f.StringVar(&s.APIKey, "api-key", "",
		"API key; visible in process listings, prefer --api-key-file (env MASTER_API_KEY)")
	f.StringVar(&s.APIKeyFile, "api-key-file", "", "file that holds the API key")
	f.StringVar(&s.CA, "ca", "",
		"file with the CA that the masters' certificates are verified against (default the system's CAs)")
	f.StringVar(&s.Cert, "cert", "", "client certificate file, for masters that require one")
	f.StringVar(&s.Key, "key", "", "private key file of --cert")
	f.BoolVar(&s.Insecure, "insecure-skip-verify", false, "do not verify the masters' certificates (development only)")
	f.VarP(enum[Format]{&s.Format, Formats}, "output", "o", "output format ("+Join(Formats)+")")
	f.StringVar(&s.config, "config", "",
		"YAML configuration file with these flags as keys (default ~/.ffrtmp/config.yaml)")
	s.Tracing.Register(f)
	Complete(root, "output", Formats...)
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

// Resolve completes the flags of cmd from the environment and, for the global ones, from the configuration file, and
// checks the result. Its errors are flags.ErrUsage.
func (s *Settings) Resolve(cmd *cobra.Command, env map[string]string) error {
	set := cmd.Flags()
	sources := map[string]source{}
	set.Visit(func(f *pflag.Flag) { sources[f.Name] = fromFlag })
	if err := fromEnvironment(set, env, sources); err != nil {
		return err
	}
	if err := s.fromFile(set, env["HOME"], sources); err != nil {
		return err
	}
	if len(s.Masters) == 0 {
		s.Masters = []string{defaultMaster}
	}
	if (s.Cert == "") != (s.Key == "") {
		return flags.Usagef("--cert and --key go together: one of them is not set")
	}
	if err := s.Tracing.Check(); err != nil {
		return err
	}
	return s.readKey(sources)
}

func fromEnvironment(set *pflag.FlagSet, env map[string]string, sources map[string]source) error {
	var err error
	set.VisitAll(func(f *pflag.Flag) {
		if err != nil || f.Changed || f.Name == "help" || f.Name == "version" {
			return
		}
		for _, name := range append([]string{flags.EnvName(f.Name)}, envAliases[f.Name]...) {
			value, ok := env[name]
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

// fromFile reads the configuration file. A missing one is an error only when --config names it.
func (s *Settings) fromFile(set *pflag.FlagSet, home string, sources map[string]source) error {
	name := s.config
	if name == "" {
		if home == "" {
			return nil
		}
		name = filepath.Join(home, ".ffrtmp", "config.yaml")
	}
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) && s.config == "" {
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
		if err := s.fromConfigKey(set, sources, key, node); err != nil {
			return flags.Usagef("%s: %s: %v", name, key, err)
		}
	}
	return nil
}

func (s *Settings) fromConfigKey(set *pflag.FlagSet, sources map[string]source, key string, node yaml.Node) error {
	flag := key
	if alias, ok := configAliases[key]; ok {
		flag = alias
	}
	if s.global.Lookup(flag) == nil || flag == "config" {
		return errors.New("unknown setting; keys are the names of the global flags, such as master and api-key-file")
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
		return errors.New("must be a single value or a list")
	}
	return f.Value.Set(strings.Join(list, ","))
}

// readKey reads the API key from its file, unless a higher source than the file's gives the key itself.
func (s *Settings) readKey(sources map[string]source) error {
	if s.APIKeyFile == "" {
		return nil
	}
	byValue, byFile := sources["api-key"], sources["api-key-file"]
	if byValue > byFile {
		return nil
	}
	if byValue == byFile {
		return flags.Usagef("--api-key and --api-key-file are both set: leave one out")
	}
	data, err := os.ReadFile(s.APIKeyFile)
	if err != nil {
		return flags.Usagef("--api-key-file: %v", err)
	}
	if s.APIKey = flags.FirstKey(string(data)); s.APIKey == "" {
		return flags.Usagef("--api-key-file: %s is empty", s.APIKeyFile)
	}
	return nil
}

// Address returns the masters' URLs, for messages.
func (s *Settings) Address() string { return strings.Join(s.Masters, ", ") }
