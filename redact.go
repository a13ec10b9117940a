package ffrtmp

import (
	"cmp"
	"encoding/json"
	"net/url"
	"path"
	"slices"
	"strings"
)

// Redactor replaces the secrets of one job's parameters in text that others wrote. A v2.2 agent uploads ffmpeg's log as
// it is, and its command line with the stream key.
type Redactor struct{ replacer *strings.Replacer }

// NewRedactor returns the redactor for a job's parameters.
func NewRedactor(raw json.RawMessage) Redactor {
	var fields struct {
		StreamKey string `json:"stream_key"`
		RTMPURL   string `json:"rtmp_url"`
		Input     string `json:"input"`
	}
	_ = json.Unmarshal(raw, &fields) // what is no text has no secret
	secrets := map[string]string{fields.StreamKey: Redacted}
	for _, address := range []string{fields.RTMPURL, fields.Input} {
		if schemeOf(address) != "" {
			rtmp := rtmp(address) && (address == fields.Input || fields.StreamKey == "")
			secrets[address] = redactURL(address, rtmp)
			for _, part := range urlSecrets(address, rtmp) {
				secrets[part] = Redacted
			}
		}
	}
	delete(secrets, "")
	names := make([]string, 0, len(secrets))
	for secret := range secrets {
		names = append(names, secret)
	}
	slices.SortFunc(names, func(a, b string) int { // the first one that matches is replaced
		return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b))
	})
	var pairs []string
	for _, secret := range names {
		pairs = append(pairs, secret, secrets[secret])
		if escaped, err := json.Marshal(secret); err == nil {
			pairs = append(pairs, strings.Trim(string(escaped), `"`), secrets[secret])
		}
	}
	if len(pairs) == 0 {
		return Redactor{}
	}
	return Redactor{strings.NewReplacer(pairs...)}
}

// urlSecrets are the parts of a URL that redactURL replaces. A short path element is no secret: it may be any word.
func urlSecrets(address string, last bool) []string {
	const shortest = 4
	u, err := url.Parse(address)
	if err != nil {
		return nil
	}
	password, _ := u.User.Password()
	parts := []string{password, u.RawQuery}
	if s, err := ParseSRT(address); err == nil {
		parts = append(parts, s.Secrets()...)
	}
	if dir, name := path.Split(u.Path); last && len(name) >= shortest && strings.Count(dir, "/") > 1 {
		parts = append(parts, name)
	}
	return parts
}

// Text returns text without the secrets.
func (r Redactor) Text(text string) string {
	if r.replacer == nil {
		return text
	}
	return r.replacer.Replace(text)
}

// JSON returns a document without the secrets.
func (r Redactor) JSON(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return raw
	}
	return json.RawMessage(r.Text(string(raw)))
}

// Result redacts what a result holds.
func (r Redactor) Result(result *Result) {
	result.Logs, result.Error = r.Text(result.Logs), r.Text(result.Error)
	result.Metrics, result.AnalyzerOutput = r.JSON(result.Metrics), r.JSON(result.AnalyzerOutput)
}
