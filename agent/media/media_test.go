package media

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/failure"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// tree makes two roots a and b beside a secret file, with files and links in them.
func tree(t *testing.T) (dir string, roots *Roots) {
	t.Helper()
	dir = t.TempDir()
	for _, d := range []string{"a/sub", "b/only", "outside"} {
		must(t, os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	for _, name := range []string{"a/in.mp4", "a/sub/deep.mp4", "b/second.mp4", "b/in.mp4", "outside/secret.mp4"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644))
	}
	for link, target := range map[string]string{
		"a/escape.mp4":     "../outside/secret.mp4",
		"a/escape-abs.mp4": filepath.Join(dir, "outside/secret.mp4"),
		"a/escape-dir":     "../outside",
		"a/inner.mp4":      "sub/deep.mp4",
		"a/inner-abs.mp4":  filepath.Join(dir, "a/sub/deep.mp4"),
		"a/to-b.mp4":       "../b/second.mp4",
		"a/dangling.mp4":   "nowhere.mp4",
		"a/loop.mp4":       "loop.mp4",
		"alias":            "a",
	} {
		must(t, os.Symlink(target, filepath.Join(dir, link)))
	}
	roots, err := OpenRoots([]string{filepath.Join(dir, "alias"), filepath.Join(dir, "b")})
	must(t, err)
	return dir, roots
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestRoots_Input(t *testing.T) {
	dir, roots := tree(t)
	for name, c := range map[string]struct {
		path   string
		want   string // below dir
		reason ffrtmp.FailureReason
	}{
		"relative, first root":        {"in.mp4", "a/in.mp4", ""},
		"relative, second root":       {"second.mp4", "b/second.mp4", ""},
		"absolute":                    {filepath.Join(dir, "b/second.mp4"), "b/second.mp4", ""},
		"absolute by the root's link": {filepath.Join(dir, "alias/in.mp4"), "a/in.mp4", ""},
		"link inside":                 {"inner.mp4", "a/sub/deep.mp4", ""},
		"absolute link inside":        {"inner-abs.mp4", "a/sub/deep.mp4", ""},
		"link to the other root":      {"to-b.mp4", "b/second.mp4", ""},
		"dots that stay inside":       {"sub/../in.mp4", "a/in.mp4", ""},
		"link out":                    {"escape.mp4", "", ffrtmp.UserError},
		"absolute link out":           {"escape-abs.mp4", "", ffrtmp.UserError},
		"directory link out":          {"escape-dir/secret.mp4", "", ffrtmp.UserError},
		"dots out":                    {"../outside/secret.mp4", "", ffrtmp.UserError},
		"dots out, then missing":      {"../nothing/here.mp4", "", ffrtmp.UserError},
		"absolute elsewhere":          {filepath.Join(dir, "outside/secret.mp4"), "", ffrtmp.UserError},
		"absolute, missing elsewhere": {"/nowhere/at/all.mp4", "", ffrtmp.UserError},
		"sibling with a root's name":  {filepath.Join(dir, "bb/in.mp4"), "", ffrtmp.UserError},
		"a root itself":               {filepath.Join(dir, "b"), "", ffrtmp.UserError},
		"directory":                   {"sub", "", ffrtmp.UserError},
		"missing":                     {"none.mp4", "", ffrtmp.InputError},
		"dangling link":               {"dangling.mp4", "", ffrtmp.InputError},
		"link to itself":              {"loop.mp4", "", ffrtmp.InputError},
		"device":                      {"/dev/zero", "", ffrtmp.UserError},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := roots.Input("input", c.path)
			if refused(t, f, err, c.reason) {
				if want := name != "directory"; failure.Unseen(err) != want {
					t.Errorf("got an error that is for another node to try: %v, want %v", !want, want)
				}
				return
			}
			file, err := Open(f)
			must(t, err)
			defer file.Close()
			got, err := io.ReadAll(file)
			must(t, err)
			if string(got) != c.want {
				t.Fatalf("opened %s, want %s", got, c.want)
			}
		})
	}
}

// refused checks whether a path was refused for a reason, and accepted without one.
func refused(t *testing.T, f recipe.File, err error, reason ffrtmp.FailureReason) bool {
	t.Helper()
	if reason == "" {
		must(t, err)
		return false
	}
	if err == nil || failure.Reason(err) != reason {
		t.Fatalf("got %v, %v; want a %s", f, err, reason)
	}
	return true
}

// Jobs reach nothing in the agent's state directory, which may be below a root.
func TestRoots_StateDirectory(t *testing.T) {
	dir, roots := tree(t)
	state := filepath.Join(dir, "a/state")
	must(t, os.MkdirAll(filepath.Join(state, "attempts"), 0o700))
	must(t, os.WriteFile(filepath.Join(state, "identity"), nil, 0o600))
	must(t, os.Symlink("state/attempts", filepath.Join(dir, "a/link")))
	must(t, roots.Exclude(filepath.Join(dir, "alias/state")))
	for _, name := range []string{
		"state/attempts/x.mp4", "link/x.mp4", state + "/x.mp4", "sub/../state/x.mp4",
		"state/new/x.mp4", "state",
	} {
		if f, err := roots.Output(name); err == nil || failure.Reason(err) != ffrtmp.UserError {
			t.Errorf("output %s: got %v, %v; want a user error", name, f, err)
		}
	}
	if f, err := roots.Input("input", "state/identity"); err == nil || failure.Reason(err) != ffrtmp.UserError {
		t.Errorf("input: got %v, %v; want a user error", f, err)
	}
	if entries, err := os.ReadDir(filepath.Join(state, "attempts")); err != nil || len(entries) > 0 {
		t.Errorf("got %v, %v in the state directory, want nothing", entries, err)
	}
	if f, err := roots.Output("state-2/x.mp4"); err != nil || f.Name != "state-2/x.mp4" {
		t.Errorf("got %v, %v for a directory with a similar name", f, err)
	}
	if err := roots.Exclude(dir); err == nil {
		t.Error("got no error for a root below the excluded directory")
	}
}

func TestRoots_Output(t *testing.T) {
	dir, roots := tree(t)
	for name, c := range map[string]struct {
		path   string
		want   string
		reason ffrtmp.FailureReason
	}{
		"relative":                       {"out.mp4", "a/out.mp4", ""},
		"directory of the second root":   {"only/out.mp4", "b/only/out.mp4", ""},
		"directories to be made":         {"new/dir/out.mp4", "a/new/dir/out.mp4", ""},
		"absolute":                       {filepath.Join(dir, "b/out.mp4"), "b/out.mp4", ""},
		"absolute, directory to be made": {filepath.Join(dir, "b/new/out.mp4"), "b/new/out.mp4", ""},
		"link at the place":              {"escape.mp4", "a/escape.mp4", ""},
		"directory link out":             {"escape-dir/out.mp4", "", ffrtmp.UserError},
		"new directory behind link out":  {"escape-dir/new/out.mp4", "", ffrtmp.OutputError},
		"dots out":                       {"../outside/out.mp4", "", ffrtmp.UserError},
		"absolute elsewhere":             {"/tmp/out.mp4", "", ffrtmp.UserError},
		"directory":                      {"sub", "", ffrtmp.UserError},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := roots.Output(c.path)
			if refused(t, f, err, c.reason) {
				return
			}
			if want := filepath.Join(dir, c.want); f.Path() != want {
				t.Fatalf("got %s, want %s", f.Path(), want)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(dir, "outside/new")); err == nil {
		t.Fatal("a directory was made outside of the roots")
	}
}

// A link made after the check must not be followed out of the root.
func TestOpen_LinkMadeLater(t *testing.T) {
	dir, roots := tree(t)
	in, err := roots.Input("input", "sub/deep.mp4")
	must(t, err)
	out, err := roots.Output("sub/out.mp4")
	must(t, err)
	must(t, os.RemoveAll(filepath.Join(dir, "a/sub")))
	must(t, os.Symlink("../outside", filepath.Join(dir, "a/sub")))
	must(t, os.WriteFile(filepath.Join(dir, "outside/deep.mp4"), nil, 0o644))
	if f, err := Open(in); err == nil {
		f.Close()
		t.Error("opened a file outside of the root")
	}
	if f, err := Create(out); err == nil {
		f.Close()
		t.Error("created a file outside of the root")
	}
	if _, err := os.Lstat(filepath.Join(dir, "outside/out.mp4")); err == nil {
		t.Error("a file was created outside of the root")
	}
}

// An output replaces no file of others unless it may; one of its own job it always replaces.
func TestPublish_Existing(t *testing.T) {
	dir, roots := tree(t)
	final, err := roots.Output("sub/out.mp4")
	must(t, err)
	work := recipe.File{Root: final.Root, Name: "sub/.out.part.mp4"}
	publish := func(content string, owner recipe.Owner) error {
		f, err := Create(work)
		must(t, err)
		_, err = f.WriteString(content)
		must(t, errors.Join(err, f.Close(), CheckFree(recipe.File{Root: final.Root, Name: "sub/other.mp4"}, owner)))
		return Publish(work, final, owner)
	}
	must(t, os.Symlink("nowhere", final.Path()))
	for _, c := range []struct {
		name    string
		owner   recipe.Owner
		prepare func() error
		want    string // content; "": refused
	}{
		{"dangling link", recipe.Owner{JobID: "1"}, nil, ""},
		{"dangling link, overwriting", recipe.Owner{JobID: "1", Overwrite: true}, nil, "dangling link, overwriting"},
		{"another job's", recipe.Owner{JobID: "2"}, nil, ""},
		{"own", recipe.Owner{JobID: "1"}, nil, "own"},
		{"of a job with a longer name", recipe.Owner{JobID: "11"}, nil, ""},
		{"of no job", recipe.Owner{}, nil, ""},
		{"a user's", recipe.Owner{JobID: "1"}, func() error {
			return errors.Join(os.Remove(final.Path()), os.WriteFile(final.Path(), nil, 0o600))
		}, ""},
		{"new", recipe.Owner{JobID: "1"}, func() error { return os.Remove(final.Path()) }, "new"},
	} {
		if c.prepare != nil {
			must(t, c.prepare())
		}
		check, err := CheckFree(final, c.owner), publish(c.name, c.owner)
		if c.want == "" {
			for _, err := range []error{check, err} {
				if err == nil || failure.Reason(err) != ffrtmp.UserError {
					t.Errorf("%s: got %v, want a user error", c.name, err)
				}
			}
			continue
		}
		must(t, errors.Join(check, err))
		if got, err := os.ReadFile(final.Path()); err != nil || string(got) != c.want {
			t.Errorf("%s: got %q, %v", c.name, got, err)
		}
	}
	must(t, os.RemoveAll(filepath.Join(dir, "a")))
}

// Removing a file that cannot exist is no error.
func TestRemove_Missing(t *testing.T) {
	dir, _ := tree(t)
	for name, f := range map[string]recipe.File{
		"no such file":       {Root: filepath.Join(dir, "a"), Name: "none.mp4"},
		"no such directory":  {Root: filepath.Join(dir, "a"), Name: "none/none.mp4"},
		"file for directory": {Root: filepath.Join(dir, "a"), Name: "in.mp4/none.mp4"},
		"name too long":      {Root: filepath.Join(dir, "a"), Name: strings.Repeat("n", 256)},
		"no such root":       {Root: filepath.Join(dir, "c"), Name: "none.mp4"},
	} {
		if err := Remove(f); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A pipe made after the check must not block.
func TestOpen_PipeMadeLater(t *testing.T) {
	dir, roots := tree(t)
	in, err := roots.Input("input", "in.mp4")
	must(t, err)
	must(t, os.Remove(filepath.Join(dir, "a/in.mp4")))
	must(t, syscall.Mkfifo(filepath.Join(dir, "a/in.mp4"), 0o600))
	if f, err := Open(in); err == nil {
		f.Close()
		t.Error("opened a pipe")
	}
}

func TestPublish_Twice(t *testing.T) {
	dir, roots := tree(t)
	secret := filepath.Join(dir, "outside/secret.mp4")
	final, err := roots.Output("escape.mp4") // a link out of the root is replaced, not followed
	must(t, err)
	work := recipe.File{Root: final.Root, Name: ".escape.part.mp4"}
	f, err := Create(work)
	must(t, err)
	_, err = f.WriteString("made")
	must(t, err)
	must(t, f.Close())
	for range 2 { // the second time after a crash between rename and confirmation
		must(t, Publish(work, final, recipe.Owner{Overwrite: true}))
		if got, err := os.ReadFile(final.Path()); err != nil || string(got) != "made" {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	if got, _ := os.ReadFile(secret); string(got) != "outside/secret.mp4" {
		t.Fatalf("the file behind the link was written: %q", got)
	}
	must(t, syscall.Mkfifo(work.Path(), 0o644)) // it is not waited for
	if err := Publish(work, final, recipe.Owner{Overwrite: true}); err == nil {
		t.Error("a pipe was published")
	}
	must(t, Remove(work))
	must(t, Remove(final))
	if err := Publish(work, final, recipe.Owner{}); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("neither work nor final: got %v", err)
	}
}
