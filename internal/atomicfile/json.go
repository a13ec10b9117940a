package atomicfile

import (
	"encoding/json"
	"fmt"
	"os"
)

// WriteJSON is Write for a JSON document with mode 0600.
func WriteJSON(path string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return Write(path, append(data, '\n'), 0o600)
}

// ReadJSON reads a JSON document into v. Where the file is missing, the error is fs.ErrNotExist.
func ReadJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
