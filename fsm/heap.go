package fsm

// heap is a binary heap of jobs. Every job knows its index, so that any can be removed. A
// job is in one heap at a time. The keys are stored beside the jobs: reading thousands
// of jobs would miss the processor's cache.
type heap []item

// item is a job in a heap: the least key comes first, of equal ones the job that
// was submitted first.
type item struct {
	key int64
	seq uint64
	job *activeJob
}

func (w item) less(other item) bool {
	return w.key < other.key || w.key == other.key && w.seq < other.seq
}

// first returns the least job, or nil.
func (h heap) first() *activeJob {
	if len(h) == 0 {
		return nil
	}
	return h[0].job
}

func (h *heap) push(j *activeJob, key int64) {
	j.heap = h
	*h = append(*h, item{})
	h.up(len(*h)-1, item{key, j.seq, j})
}

func (h *heap) remove(j *activeJob) {
	last := len(*h) - 1
	moved := (*h)[last]
	(*h)[last] = item{}
	*h = (*h)[:last]
	if j.at < last {
		h.down(h.up(j.at, moved), moved)
	}
	j.heap = nil
}

// up puts w into the free place i or one that is nearer to the root, and returns it.
func (h heap) up(i int, w item) int {
	for i > 0 {
		parent := (i - 1) / 2
		if !w.less(h[parent]) {
			break
		}
		h.put(i, h[parent])
		i = parent
	}
	h.put(i, w)
	return i
}

// down puts w, which is at i, where no child of its place comes before it.
func (h heap) down(i int, w item) {
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child+1].less(h[child]) {
			child++
		}
		if !h[child].less(w) {
			break
		}
		h.put(i, h[child])
		i = child
	}
	h.put(i, w)
}

func (h heap) put(i int, w item) {
	h[i] = w
	w.job.at = i
}

// until calls do for every job whose key is at most limit, in no order, until do
// returns false. It visits only these and their children.
func (h heap) until(limit int64, do func(*activeJob) bool) {
	var walk func(i int) bool
	walk = func(i int) bool {
		return i >= len(h) || h[i].key > limit || do(h[i].job) && walk(2*i+1) && walk(2*i+2)
	}
	walk(0)
}
