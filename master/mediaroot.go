package master

import "path/filepath"

// mediaRoots returns directories as absolute paths, each as it is given and without links: agents may use either.
func mediaRoots(dirs []string) ([]string, error) {
	var list []string
	for _, dir := range dirs {
		given, err := filepath.Abs(dir)
		if err != nil {
			return nil, err
		}
		resolved, err := filepath.EvalSymlinks(given)
		if err != nil {
			return nil, err
		}
		list = append(list, given)
		if resolved != given {
			list = append(list, resolved)
		}
	}
	return list, nil
}
