package fsm

// heap is a binary heap of jobs of which every job knows its place, so that any
// of them can be taken out. A job is in one heap at a time.
type heap struct {
	jobs []*activeJob
	less func(a, b *activeJob) bool
}

func bySeq(a, b *activeJob) bool { return a.seq < b.seq }

func byNotBefore(a, b *activeJob) bool {
	return a.notBefore < b.notBefore || a.notBefore == b.notBefore && a.seq < b.seq
}

// first returns the least job, or nil.
func (h *heap) first() *activeJob {
	if len(h.jobs) == 0 {
		return nil
	}
	return h.jobs[0]
}

func (h *heap) push(j *activeJob) {
	j.heap = h
	h.jobs = append(h.jobs, j)
	j.at = len(h.jobs) - 1
	h.up(j.at)
}

func (h *heap) remove(j *activeJob) {
	last := len(h.jobs) - 1
	at := j.at
	h.swap(at, last)
	h.jobs[last] = nil
	h.jobs = h.jobs[:last]
	j.heap = nil
	if at < last {
		h.up(at)
		h.down(at)
	}
}

func (h *heap) swap(a, b int) {
	h.jobs[a], h.jobs[b] = h.jobs[b], h.jobs[a]
	h.jobs[a].at, h.jobs[b].at = a, b
}

func (h *heap) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !h.less(h.jobs[i], h.jobs[parent]) {
			return
		}
		h.swap(i, parent)
		i = parent
	}
}

func (h *heap) down(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(h.jobs); child++ {
			if h.less(h.jobs[child], h.jobs[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		h.swap(i, least)
		i = least
	}
}

// until calls do for every job that compares as not after limit says, in no
// order, until do returns false. It looks at no others but their parents.
func (h *heap) until(within, do func(*activeJob) bool) bool {
	var walk func(i int) bool
	walk = func(i int) bool {
		if i >= len(h.jobs) || !within(h.jobs[i]) {
			return true
		}
		return do(h.jobs[i]) && walk(2*i+1) && walk(2*i+2)
	}
	return walk(0)
}
