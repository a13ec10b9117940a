package ui

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/ffrtmp/ffrtmp"
)

// preview is what the form of a new job says while it is filled in: what is wrong, or what would happen.
type preview struct {
	Empty  bool
	Error  string
	Bad    string // id of the field at fault
	Result ffrtmp.DryRun
	Line   string // the command, as a shell reads it
}

// Starts is when the job would start, in words.
func (p preview) Starts() string {
	switch wait := p.Result.EstimatedWaitSeconds; {
	case wait == nil:
		return "not known"
	case *wait == 0:
		return "at once"
	default:
		return "in about " + seconds(*wait) + ", at the rate of the last hour"
	}
}

// checkJob carries out a dry run of the form.
func checkJob(v *visit) error {
	fields := map[string]string{}
	for name := range v.PostForm {
		fields[name] = v.PostFormValue(name)
	}
	p := preview{Empty: strings.TrimSpace(fields["scenario"]) == ""}
	if p.Empty {
		v.renderPart("preview", p)
		return nil
	}
	spec, err := specOf(fields)
	if err == nil {
		query := url.Values{"dry_run": {"true"}}
		if node := fields["preview_node"]; node != "" {
			query.Set("node", node)
		}
		err = v.send(http.MethodPost, "/jobs", query, spec, &p.Result)
	}
	var refused *ffrtmp.Error
	switch {
	case errors.As(err, &refused):
		p.Error, p.Bad = sentence(err), fieldID(refused.Field)
	case err != nil:
		return err
	}
	p.Line = shellLine(p.Result.Command)
	v.renderPart("preview", p)
	return nil
}

// fieldID is the id of the input of a field that the API names: parameters.crf is f-crf. What has none of its own is
// typed as JSON.
func fieldID(field string) string {
	name, isParameter := strings.CutPrefix(field, "parameters.")
	name, _, _ = strings.Cut(name, ".")
	name, _, _ = strings.Cut(name, "[")
	known := slices.ContainsFunc(catalogue.Parameters, func(p ffrtmp.Parameter) bool {
		return p.Name == name && p.AliasOf == ""
	})
	switch {
	case name == "":
		return ""
	case isParameter && !known:
		return "f-parameters"
	}
	return "f-" + name
}

// plainWord matches an argument that a shell does not change.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// shellLine is a command as a shell reads it.
func shellLine(args []string) string {
	quoted := make([]string, len(args))
	for i, arg := range args {
		if quoted[i] = arg; !plainWord.MatchString(arg) && arg != "&&" {
			quoted[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// More are the parameters of the catalogue below the main fields.
func (p submitPage) More() []ffrtmp.Parameter {
	return slices.DeleteFunc(slices.Clone(p.Catalogue.Parameters), func(q ffrtmp.Parameter) bool {
		return q.AliasOf != "" || slices.Contains(mainFields, q.Name)
	})
}

// Open reports whether a parameter below the main fields has a value.
func (p submitPage) Open() bool {
	return p.Fields["parameters"] != "" ||
		slices.ContainsFunc(p.More(), func(q ffrtmp.Parameter) bool { return p.Fields[q.Name] != "" })
}

// Hint is what a parameter's field says while it is empty.
func (p submitPage) Hint(q ffrtmp.Parameter) string {
	if q.Default != "" {
		return q.Default
	}
	return strings.Trim(string(q.Example), `"`)
}

// Ranges are the values that a parameter takes, in words.
func (p submitPage) Ranges(q ffrtmp.Parameter) []string {
	var list []string
	if text := q.Range(); text != "" {
		list = append(list, text)
	}
	for _, r := range q.Encoders {
		list = append(list, strings.Join(r.Encoders, ", ")+": "+r.Range())
	}
	return list
}

// Choices are the values of a parameter that takes no others.
func (p submitPage) Choices(q ffrtmp.Parameter) []string {
	switch {
	case q.Type == "boolean":
		return []string{"true", "false"}
	case q.Pattern == "":
		return q.Values
	}
	return nil
}
