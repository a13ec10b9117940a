package docs

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

var update = flag.Bool("update", false, "rewrite the generated pages")

// catalogue.md is what GET /catalogue answers: go test ./docs -run Catalogue -update.
func TestDocs_Catalogue(t *testing.T) {
	want := cataloguePage(ffrtmp.NewCatalogue())
	if *update {
		if err := os.WriteFile("catalogue.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("catalogue.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("got another docs/catalogue.md than the code's tables; run go test ./docs -run Catalogue -update")
	}
}

// cataloguePage is the catalogue in Markdown.
func cataloguePage(c ffrtmp.Catalogue) string {
	var b strings.Builder
	b.WriteString(`# Catalogue

What a job may ask for, as ` + "`GET /catalogue`" + ` lists it. Generated from the tables that submissions are
checked against. How sources are treated: [media](media.md).

## Scenarios

| scenario | kind | size of a 16:9 source | codecs, the default first |
|---|---|---|---|
`)
	for _, s := range c.Scenarios {
		size := ""
		if s.Width > 0 {
			size = fmt.Sprintf("%dx%d", s.Width, s.Height)
		}
		name := s.Name
		if s.Form != "" {
			name = s.Form
		}
		row(&b, quoted(name), s.Kind, size, strings.Join(s.Codecs, " "))
	}
	b.WriteString("\nFPS is 1 to " + strconv.Itoa(c.Scenarios[0].MaxFPS) + `; ` + "`live-`" + ` means the live queue.

## Parameters

| parameter | type | of | values | default | example | meaning |
|---|---|---|---|---|---|---|
`)
	for i := range c.Parameters {
		p := &c.Parameters[i]
		meaning := p.Description
		if p.AliasOf != "" {
			meaning = strings.TrimSuffix("v2.2's name of "+quoted(p.AliasOf)+"; "+p.Description, "; ")
		}
		row(&b, quoted(p.Name), p.Type, strings.Join(p.Kinds, " "), parameterRange(p), p.Default,
			quoted(string(p.Example)), meaning)
	}
	for i := range c.Parameters {
		fieldsTable(&b, &c.Parameters[i])
	}
	b.WriteString(`
## Encoders

| encoder | kind | codec | hardware | named by |
|---|---|---|---|---|
`)
	for _, e := range c.Encoders {
		row(&b, quoted(e.Name), e.Kind, e.Codec, e.Hardware, strings.Join(e.DefaultFor, " "))
	}
	b.WriteString("\n## Presets\n\n| encoder | presets |\n|---|---|\n")
	for _, p := range c.Presets {
		row(&b, quoted(p.Encoder), strings.Join(p.Presets, " "))
	}
	b.WriteString("\n## Containers\n\nAny other pair is refused at submission with the pairs that work.\n\n" +
		"| file | format | video | audio, the default first | subtitles |\n|---|---|---|---|---|\n")
	for _, p := range c.Pairs {
		row(&b, quoted(p.Extension), p.Format, strings.Join(p.Video, " "), strings.Join(p.Audio, " "),
			strings.Join(p.Subtitles, " "))
	}
	return b.String()
}

// fieldsTable describes the objects of a parameter that is a list.
func fieldsTable(b *strings.Builder, p *ffrtmp.Parameter) {
	if len(p.Fields) == 0 {
		return
	}
	b.WriteString("\nEach object of " + quoted(p.Name) + " ([media](media.md)):\n\n" +
		"| field | type | of | values | default | example | meaning |\n|---|---|---|---|---|---|---|\n")
	for i := range p.Fields {
		f := &p.Fields[i]
		row(b, quoted(f.Name), f.Type, strings.Join(f.Kinds, " "), parameterRange(f), f.Default,
			quoted(string(f.Example)), f.Description)
	}
}

// parameterRange describes a parameter's values, by encoder where they depend on it.
func parameterRange(p *ffrtmp.Parameter) string {
	if p.Name == "preset" {
		return "[presets](#presets)"
	}
	parts := []string{p.Range()}
	for _, r := range p.Encoders {
		parts = append(parts, strings.TrimSuffix(strings.Join(r.Encoders, ", ")+": "+r.Range(), ": "))
	}
	return strings.TrimPrefix(strings.Join(parts, "; "), "; ")
}

func row(b *strings.Builder, cells ...string) {
	for i, cell := range cells {
		cells[i] = strings.ReplaceAll(cell, "|", `\|`)
	}
	b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

func quoted(s string) string { return "`" + s + "`" }
