package main

import (
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/cli"
	"github.com/ffrtmp/ffrtmp/internal/flags"
)

// specFlags is the flags of jobs submit.
type specFlags struct {
	scenario, confidence, engine string
	queue                        ffrtmp.Queue
	priority                     ffrtmp.Priority
	labels, requires             cli.Labels
	gpu                          bool
	maxRetries                   int
	parameters                   map[string]json.RawMessage
	streamKeyFile                string

	file, idempotencyKey string
	watch, dryRun        bool
	node                 string

	set *pflag.FlagSet
	own []string // the flags that describe a job, as opposed to how it is submitted
}

func (f *specFlags) register(cmd *cobra.Command) {
	f.parameters = map[string]json.RawMessage{}
	f.labels, f.requires, f.engine = cli.Labels{}, cli.Labels{}, "auto"
	set := cmd.Flags()
	set.StringVar(&f.scenario, "scenario", "", "target format, such as 1080p30-h264")
	set.StringVar(&f.confidence, "confidence", "auto", "confidence level to store with the job")
	cli.EnumVar(cmd, &f.engine, "engine", "encoding engine", []string{"auto", "ffmpeg"})
	cli.EnumVar(cmd, &f.queue, "queue", "queue", ffrtmp.Queues)
	cli.EnumVar(cmd, &f.priority, "priority", "priority in the queue", ffrtmp.Priorities)
	set.Var(f.labels, "label", "label the job; may be repeated")
	set.Var(f.requires, "requires-label", "require a label of the node; may be repeated")
	set.BoolVar(&f.gpu, "gpu", false, "require a node with a GPU")
	set.IntVar(&f.maxRetries, "max-retries", 0, "retries after the first run (default the masters' --max-retries)")
	f.registerParameters(set)
	set.VisitAll(func(flag *pflag.Flag) { f.own = append(f.own, flag.Name) })
	set.StringVar(&f.file, "file", "", `JSON file with one job or {"jobs":[...]}; - is standard input`)
	set.StringVar(&f.idempotencyKey, "idempotency-key", "", "submit only once under this key, however often repeated")
	set.BoolVar(&f.watch, "watch", false, "watch the job until it ends")
	set.BoolVar(&f.dryRun, "dry-run", false, "submit nothing: show the job and the ffmpeg command")
	set.StringVar(&f.node, "node", "", "with --dry-run: node whose command is shown (default one that can run the job)")
	f.set = set
	cli.Complete(cmd, "scenario", scenarios...)
}

func (f *specFlags) registerParameters(set *pflag.FlagSet) {
	for _, p := range []struct{ flag, parameter, usage string }{
		{"input", "input", "file or URL to read"},
		{"output-file", "output", "file to write"},
		{"output-mode", "output_mode", "output mode (file, rtmp, stream, null)"},
		{"rtmp-url", "rtmp_url", "RTMP URL to stream to"},
		{"bitrate", "bitrate", "video bitrate, such as 10M or 2500k"},
		{"codec", "codec", "video codec (h264, h265, hevc, vp9, av1) or ffmpeg encoder, such as libx264"},
		{"preset", "preset", "encoder preset"},
		{"resolution", "resolution", "frame size, such as 1920x1080, 1080p or 4K"},
		{"hwaccel", "hwaccel", "hardware acceleration (none, auto, cuda, nvenc, qsv, vaapi)"},
		{"audio-codec", "audio_codec", "audio codec (aac, mp3, opus, ac3, flac, pcm, none)"},
		{"fit", "fit", "how a source of another shape fits the frame size (inside, pad, crop, stretch)"},
		{"hdr", "hdr", "output for HDR sources: BT.709 or HDR (tonemap, keep)"},
		{"audio-bitrate", "audio_bitrate", "audio bitrate, such as 128k"},
		{"picture", "picture", "picture to show with an input that is sound only"},
		{"start", "start", "where to begin in the input, in seconds or as HH:MM:SS.mmm"},
		{"end", "end", "where to end in the input, in the form of --start"},
	} {
		set.Var(&parameter{f.parameters, p.parameter, asText, "string", ""}, p.flag, p.usage)
	}
	set.Var(&parameter{f.parameters, "duration", asSeconds, "duration", ""}, "duration",
		"time to encode, in seconds or as 1m30s")
	set.Var(&parameter{f.parameters, "fps", asNumber, "float", ""}, "fps", "frames per second")
	set.Var(&parameter{f.parameters, "crf", asNumber, "int", ""}, "crf",
		"quality on the encoder's own scale, instead of a bitrate")
	set.Var(&parameter{f.parameters, "loudness", asNumber, "float", ""}, "loudness",
		"loudness of the sound in LUFS (EBU R 128), such as -23")
	set.Var(&parameter{f.parameters, "reconnect", asNumberOrWord, "int", ""}, "reconnect",
		"lost connections in a row that a stream survives, or forever")
	set.Var(&parameter{f.parameters, "threads", asNumber, "int", ""}, "threads", "threads for ffmpeg")
	set.Var(&parameter{f.parameters, "overwrite", asBool, "", ""}, "overwrite", "replace an existing output file")
	set.Lookup("overwrite").NoOptDefVal = "true"
	set.Var(&parameter{f.parameters, "two_pass", asBool, "", ""}, "two-pass", "encode twice to meet --bitrate best")
	set.Lookup("two-pass").NoOptDefVal = "true"
	set.Var(&parameter{f.parameters, "watermark", asWatermark, "file", ""}, "watermark",
		"image to draw over the picture, or a JSON object with image, position, margin, width and opacity")
	set.Var(&anyParameter{f.parameters}, "param", "set any parameter to a JSON value or a word; may be repeated")
	set.StringVar(&f.streamKeyFile, "stream-key-file", "", "file that holds the stream key for --rtmp-url")
}

// spec is the job that the flags describe.
func (f *specFlags) spec() (ffrtmp.Spec, error) {
	if f.streamKeyFile != "" {
		data, err := os.ReadFile(f.streamKeyFile)
		if err != nil {
			return ffrtmp.Spec{}, flags.Usagef("--stream-key-file: %v", err)
		}
		if f.parameters["stream_key"], err = asText(strings.TrimSpace(string(data))); err != nil {
			return ffrtmp.Spec{}, err
		}
	}
	s := ffrtmp.Spec{
		Scenario: f.scenario, Confidence: f.confidence, Engine: f.engine,
		Queue: f.queue, Priority: f.priority, Labels: f.labels,
	}
	if len(f.parameters) > 0 {
		raw, err := json.Marshal(f.parameters)
		if err != nil {
			return ffrtmp.Spec{}, err
		}
		s.Parameters = raw
	}
	if f.gpu || len(f.requires) > 0 {
		s.Requires = &ffrtmp.Requires{GPU: f.gpu, Labels: f.requires}
	}
	if f.set.Changed("max-retries") {
		s.MaxRetries = &f.maxRetries
	}
	return s, nil
}

// parameter is a flag that sets one of a job's parameters.
type parameter struct {
	all   map[string]json.RawMessage
	name  string
	parse func(string) (json.RawMessage, error)
	kind  string // name of its value in help
	text  string // as typed
}

func (p *parameter) String() string { return p.text }
func (p *parameter) Type() string   { return p.kind }

// Set implements pflag.Value.
func (p *parameter) Set(s string) error {
	value, err := p.parse(s)
	if err != nil {
		return err
	}
	p.text, p.all[p.name] = s, value
	return nil
}

func asText(s string) (json.RawMessage, error) { return json.Marshal(s) }

func asNumber(s string) (json.RawMessage, error) {
	if _, err := strconv.ParseFloat(s, 64); err != nil || !json.Valid([]byte(s)) {
		return nil, errors.New("must be a number")
	}
	return json.RawMessage(s), nil
}

func asNumberOrWord(s string) (json.RawMessage, error) {
	if n, err := asNumber(s); err == nil {
		return n, nil
	}
	return asText(s)
}

func asBool(s string) (json.RawMessage, error) {
	if s != "true" && s != "false" {
		return nil, errors.New("must be true or false")
	}
	return json.RawMessage(s), nil
}

// asWatermark takes the image's path, or the whole parameter.
func asWatermark(s string) (json.RawMessage, error) {
	if strings.HasPrefix(s, "{") {
		if !json.Valid([]byte(s)) {
			return nil, errors.New("must be a file or a JSON object")
		}
		return json.RawMessage(s), nil
	}
	return json.Marshal(map[string]string{"image": s})
}

func asSeconds(s string) (json.RawMessage, error) {
	if d, err := time.ParseDuration(s); err == nil {
		s = strconv.FormatFloat(d.Seconds(), 'f', -1, 64)
	}
	seconds, err := asNumber(s)
	if err != nil {
		return nil, errors.New("must be seconds or a time such as 1m30s")
	}
	return seconds, nil
}

// anyParameter is the flag --param NAME=VALUE.
type anyParameter struct{ all map[string]json.RawMessage }

func (p *anyParameter) String() string { return "" }
func (p *anyParameter) Type() string   { return "name=value" }

// Set implements pflag.Value.
func (p *anyParameter) Set(s string) (err error) {
	name, value, ok := strings.Cut(s, "=")
	if !ok || name == "" {
		return errors.New("must be NAME=VALUE")
	}
	if json.Valid([]byte(value)) {
		p.all[name] = json.RawMessage(value)
	} else {
		p.all[name], err = asText(value)
	}
	return err
}
