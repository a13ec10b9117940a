// Package media opens files below the media roots, the only directories that jobs may
// read or write, whatever a job's paths or symbolic links say.
package media

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/failure"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// Roots are the directories that jobs may use, in the order in which relative paths
// are tried. Its methods may be called concurrently.
type Roots struct {
	roots    []root
	excluded string // without links; "" for none
}

// root is a media root as configured and with links resolved; a job may use either.
type root struct{ given, real string }

// OpenRoots resolves the roots, which must be directories.
func OpenRoots(dirs []string) (*Roots, error) {
	if len(dirs) == 0 {
		return nil, errors.New("no media root")
	}
	r := &Roots{}
	for _, dir := range dirs {
		given, err := filepath.Abs(dir)
		if err != nil {
			return nil, fmt.Errorf("media root %s: %w", dir, err)
		}
		real, err := filepath.EvalSymlinks(given)
		if err != nil {
			return nil, fmt.Errorf("media root: %w", err)
		}
		if info, err := os.Stat(real); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("media root %s is not a directory", dir)
		}
		r.roots = append(r.roots, root{given, real})
	}
	return r, nil
}

// Paths lists the roots as jobs may name them.
func (r *Roots) Paths() []string {
	var paths []string
	for _, root := range r.roots {
		for _, path := range []string{root.given, root.real} {
			if !slices.Contains(paths, path) {
				paths = append(paths, path)
			}
		}
	}
	return paths
}

// Exclude keeps jobs out of a directory, which may be below a root. A root below it is
// an error. It must be called before any other method.
func (r *Roots) Exclude(dir string) error {
	path, err := filepath.Abs(dir)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return err
	}
	for _, root := range r.roots {
		if _, ok := below(path, root.real); ok || path == root.real {
			return fmt.Errorf("media root %s is in the agent's state directory %s", root.given, dir)
		}
	}
	r.excluded = path
	return nil
}

// Input finds a file to read, which the field of a job names. A path outside the roots is a user error, a missing file
// an input error; both are unseen, because another node may have the file.
func (r *Roots) Input(field, name string) (recipe.File, error) {
	candidates, err := r.candidates(field, name)
	if err != nil {
		return recipe.File{}, err
	}
	for _, path := range candidates {
		real, err := filepath.EvalSymlinks(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return recipe.File{}, unseen(field, "%w", err)
		}
		f, ok := r.contains(real)
		if !ok {
			return recipe.File{}, outside(field, name)
		}
		info, err := os.Stat(real)
		if err != nil {
			return recipe.File{}, unseen(field, "%w", err)
		}
		if !info.Mode().IsRegular() {
			return recipe.File{}, failure.Errorf(ffrtmp.UserError, "%s: %s is not a regular file", field, name)
		}
		return f, nil
	}
	return recipe.File{}, unseen(field, "%s: no such file below a media root", name)
}

// Output finds the place for a new file and creates its directories. A relative path
// goes to the first root that already has its directory, else to the first root. A
// file or link at that place stays.
func (r *Roots) Output(name string) (recipe.File, error) {
	candidates, err := r.candidates("output", name)
	if err != nil {
		return recipe.File{}, err
	}
	for _, path := range candidates {
		f, err := r.output(name, path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return f, err
	}
	f, ok := r.contains(candidates[0])
	if !ok {
		return recipe.File{}, outside("output", name)
	}
	dir, err := os.OpenRoot(f.Root)
	if err != nil {
		return recipe.File{}, failure.Errorf(ffrtmp.OutputError, "output: %w", err)
	}
	defer dir.Close()
	if err := dir.MkdirAll(filepath.Dir(f.Name), 0o755); err != nil {
		return recipe.File{}, failure.Errorf(ffrtmp.OutputError, "output: %w", err)
	}
	return r.output(name, candidates[0])
}

// output checks one candidate; its error is fs.ErrNotExist when the directory is
// missing.
func (r *Roots) output(name, path string) (recipe.File, error) {
	if _, err := os.Lstat(path); errors.Is(err, syscall.ENAMETOOLONG) {
		return recipe.File{}, failure.Errorf(ffrtmp.UserError, "output: %w", err)
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return recipe.File{}, failure.Errorf(ffrtmp.OutputError, "output: %w", err)
	}
	f, ok := r.contains(filepath.Join(dir, filepath.Base(path)))
	if !ok {
		return recipe.File{}, outside("output", name)
	}
	if info, err := os.Lstat(f.Path()); err == nil && info.IsDir() {
		return recipe.File{}, failure.Errorf(ffrtmp.UserError, "output: %s is a directory", name)
	}
	return f, nil
}

// candidates lists the paths that name may mean: itself when it is absolute, else one
// below each root. A name that leaves the roots is an error, whatever is on disk.
func (r *Roots) candidates(field, name string) ([]string, error) {
	if filepath.IsAbs(name) {
		name := filepath.Clean(name)
		for _, root := range r.roots {
			if rel, ok := below(root.given, name); ok {
				return []string{filepath.Join(root.real, rel)}, nil
			}
			if rel, ok := below(root.real, name); ok {
				return []string{filepath.Join(root.real, rel)}, nil
			}
		}
		return nil, outside(field, name)
	}
	if !filepath.IsLocal(name) || filepath.Clean(name) == "." {
		return nil, outside(field, name)
	}
	paths := make([]string, len(r.roots))
	for i, root := range r.roots {
		paths[i] = filepath.Join(root.real, name)
	}
	return paths, nil
}

// contains returns a resolved path as a file of its root.
func (r *Roots) contains(path string) (recipe.File, bool) {
	if _, ok := below(r.excluded, path); r.excluded != "" && (ok || path == r.excluded) {
		return recipe.File{}, false
	}
	for _, root := range r.roots {
		if rel, ok := below(root.real, path); ok {
			return recipe.File{Root: root.real, Name: rel}, true
		}
	}
	return recipe.File{}, false
}

func below(root, path string) (string, bool) {
	rel, err := filepath.Rel(root, path)
	return rel, err == nil && rel != "." && filepath.IsLocal(rel)
}

// unseen returns the error for an input that is not on this node.
func unseen(field, format string, args ...any) error {
	err := failure.Errorf(ffrtmp.InputError, field+": "+format, args...)
	err.Unseen = true
	return err
}

func outside(field, name string) error {
	err := failure.Errorf(ffrtmp.UserError, "%s: %s is outside the media roots, or in the agent's state directory",
		field, strings.ToValidUTF8(name, "?"))
	err.Unseen = field != "output"
	return err
}
