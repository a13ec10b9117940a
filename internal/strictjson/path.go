package strictjson

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// level is an array or object that a path leads through.
type level struct {
	array bool
	index int    // of the array's current element
	key   string // the object's current field
	value bool   // the object's next token is that field's value
}

// pathAt returns the JSON path, such as attempts[0].progress, of the value whose first token ends at or after offset
// bytes of a document; "" for the document itself. encoding/json reports the offset of a value of a wrong type, but
// leaves array indexes out of its name.
func pathAt(data []byte, offset int64) string {
	dec := json.NewDecoder(bytes.NewReader(data))
	var levels []level
	for {
		token, err := dec.Token()
		if err != nil || dec.InputOffset() >= offset {
			return pathOf(levels)
		}
		switch top := len(levels) - 1; {
		case top < 0 && token != json.Delim('{') && token != json.Delim('['):
			return ""
		case token == json.Delim('{'), token == json.Delim('['):
			levels = append(levels, level{array: token == json.Delim('[')})
			continue
		case token == json.Delim('}'), token == json.Delim(']'):
			levels = levels[:top]
		case !levels[top].array && !levels[top].value:
			levels[top].key, _ = token.(string)
			levels[top].value = true
			continue
		}
		if top := len(levels) - 1; top >= 0 { // a value has ended
			levels[top].index++
			levels[top].value = false
		}
	}
}

func pathOf(levels []level) string {
	path := ""
	for _, l := range levels {
		if l.array {
			path += "[" + strconv.Itoa(l.index) + "]"
		} else {
			path = join(path, l.key)
		}
	}
	return path
}
