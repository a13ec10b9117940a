package fsm

import (
	"encoding/json"
	"math"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// columns are what lists select and sort jobs by, in memory, by columns of chunks of jobs with consecutive
// numbers: 18 bytes a job and 4 a label. Reading a million of them takes some milliseconds. Indexes in the database
// would be written by every submission, and a page that combines two filters would still scan one of them.
//
// Like everything in memory they are derived from the database: loaded after opening, newest chunks first,
// and changed together with it. Strings are kept as hashes, so what they select is checked against the row.
type columns struct {
	chunks []*chunk      // by number/chunkSize; nil: no jobs
	low    int           // chunks before it are not loaded yet
	loaded chan struct{} // closed when all are, or never will be
}

const chunkSize = 1024

type chunk struct {
	jobs     int
	used     int              // ends that are set
	place    [chunkSize]uint8 // see placeOf; 0: no job
	progress [chunkSize]uint8
	node     [chunkSize]uint32 // key of the newest attempt's node
	scenario [chunkSize]uint32
	created  [chunkSize]uint32 // seconds
	oldest   uint32            // of created
	newest   uint32            // of created
	ends     [chunkSize]uint32 // the job's labels are labels[ends[i-1]:ends[i]]
	labels   []uint32
}

// columnRow is what columns keep of a job.
type columnRow struct {
	status, queue, priority, progress, node int64
	scenario                                string
	created                                 int64  // ns
	labels                                  string // JSON, or ""
}

// columns are those of a new job.
func (s *spec) columns(status, created int64) columnRow {
	return columnRow{
		status: status, queue: s.queue, priority: s.priority, scenario: s.scenario, created: created, labels: s.labels,
	}
}

func newColumns() columns { return columns{loaded: make(chan struct{})} }

// placeOf packs a job's status, queue and priority.
func placeOf(status, queue, priority int64) uint8 {
	return uint8(1 + (status*int64(len(store.QueueCodes))+queue)*int64(len(store.PriorityCodes)) + priority)
}

// splitPlace is the inverse of placeOf.
func splitPlace(place uint8) (status, queue, priority int64) {
	n := int64(place - 1)
	queues, priorities := int64(len(store.QueueCodes)), int64(len(store.PriorityCodes))
	return n / priorities / queues, n / priorities % queues, n % priorities
}

// add adds a job. Numbers grow, except while chunks are loaded, each from its start.
func (c *columns) add(seq uint64, row columnRow) {
	n := int(seq / chunkSize)
	for len(c.chunks) <= n {
		c.chunks = append(c.chunks, nil)
	}
	if c.chunks[n] == nil {
		c.chunks[n] = &chunk{}
	}
	c.chunks[n].add(int(seq%chunkSize), row)
}

func (ch *chunk) add(i int, row columnRow) {
	ch.jobs++
	ch.place[i] = placeOf(row.status, row.queue, row.priority)
	ch.progress[i] = uint8(row.progress)
	ch.node[i] = uint32(row.node)
	ch.scenario[i] = hash32(row.scenario)
	ch.created[i] = seconds(row.created)
	if ch.jobs == 1 {
		ch.oldest = ch.created[i]
	}
	ch.oldest, ch.newest = min(ch.oldest, ch.created[i]), max(ch.newest, ch.created[i])
	ch.setLabels(i, row.labels)
}

// setLabels replaces the labels of a job, or adds those of the next.
func (ch *chunk) setLabels(i int, labels string) {
	for ; ch.used <= i; ch.used++ {
		ch.ends[ch.used] = uint32(len(ch.labels))
	}
	before := len(ch.labels)
	ch.labels = slices.Replace(ch.labels, ch.start(i), int(ch.ends[i]), labelHashes(labels)...)
	grown := uint32(len(ch.labels) - before) // modulo 2^32 if they are fewer
	for k := i; k < ch.used; k++ {
		ch.ends[k] += grown
	}
}

// start is where a job's labels start.
func (ch *chunk) start(i int) int {
	if i == 0 {
		return 0
	}
	return int(ch.ends[i-1])
}

// at returns the chunk of a job and its index there, nil when it is not loaded yet: the loader will read the row as
// it then is.
func (c *columns) at(seq uint64) (*chunk, int) {
	n := int(seq / chunkSize)
	if n < c.low || n >= len(c.chunks) {
		return nil, 0
	}
	return c.chunks[n], int(seq % chunkSize)
}

func (c *columns) setStatus(seq uint64, status int64) {
	if ch, i := c.at(seq); ch != nil {
		_, queue, priority := splitPlace(ch.place[i])
		ch.place[i] = placeOf(status, queue, priority)
	}
}

func (c *columns) setPlace(seq uint64, queue, priority int64) {
	if ch, i := c.at(seq); ch != nil {
		status, _, _ := splitPlace(ch.place[i])
		ch.place[i] = placeOf(status, queue, priority)
	}
}

func (c *columns) setProgress(seq uint64, percent int64) {
	if ch, i := c.at(seq); ch != nil {
		ch.progress[i] = uint8(percent)
	}
}

func (c *columns) setNode(seq uint64, key int64) {
	if ch, i := c.at(seq); ch != nil {
		ch.node[i] = uint32(key)
	}
}

func (c *columns) setLabels(seq uint64, labels string) {
	if ch, i := c.at(seq); ch != nil {
		ch.setLabels(i, labels)
	}
}

func (c *columns) remove(seq uint64) {
	ch, i := c.at(seq)
	if ch == nil {
		return
	}
	ch.place[i] = 0
	if ch.jobs--; ch.jobs == 0 {
		c.chunks[seq/chunkSize] = nil
	}
}

func seconds(ns int64) uint32 { return uint32(min(max(ns/1e9, 0), math.MaxUint32)) }

func hash32(s string) uint32 { return uint32(xxhash.Sum64String(s)) }

// labelHash has 14 bits of the key's hash and 18 of the value's: of a million jobs about 180 seem to have a key
// that none has, and 4 a value.
func labelHash(key, value string) uint32 {
	return hash32(key)&keyMask | hash32(value)&^keyMask
}

const keyMask = 0xfffc0000

// labelHashes hashes labels in JSON, an object of strings.
func labelHashes(labels string) []uint32 {
	var hashes []uint32
	for {
		key, rest, _ := nextString(labels)
		value, rest, ok := nextString(rest)
		if !ok {
			return hashes
		}
		hashes = append(hashes, labelHash(key, value))
		labels = rest
	}
}

// nextString returns the first string in a JSON text, and what follows it. It allocates only for strings with
// escapes: decoding the object would take a tenth of a submission's time.
func nextString(text string) (s, rest string, ok bool) {
	start := strings.IndexByte(text, '"')
	if start < 0 {
		return "", "", false
	}
	text = text[start:]
	end, escaped := 1, false
	for ; end < len(text) && text[end] != '"'; end++ {
		if text[end] == '\\' {
			end, escaped = end+1, true
		}
	}
	if end >= len(text) {
		return "", "", false
	}
	s = text[1:end]
	if escaped {
		_ = json.Unmarshal([]byte(text[:end+1]), &s) // encoding/json wrote it
	}
	return s, text[end+1:], true
}
