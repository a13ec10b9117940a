package probe

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/ffrtmp/ffrtmp/agent/media"
	"github.com/ffrtmp/ffrtmp/internal/ffprobe"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// sourceLength is how long a source really is, in seconds, by its packets.
type sourceLength struct {
	video  float64   // of the first that is no picture
	audios []float64 // of each audio track
	whole  float64   // of all streams: shorter than its header when the file is truncated
	loose  bool      // the container's header says nothing reliable about length
}

// mapped returns the length of what an output was made of.
func (l sourceLength) mapped(want recipe.Want) float64 {
	var length float64
	if want.Codec != "" {
		length = l.video
	}
	if !want.Has("audio") && want.Audio != "" {
		length = max(length, l.audio(0))
	}
	for _, t := range want.Tracks {
		if t.Type == "audio" {
			length = max(length, l.audio(t.Source))
		}
	}
	return length
}

// audio returns the length of an audio track, 0 for one that is missing.
func (l sourceLength) audio(track int) float64 {
	if track < 0 || track >= len(l.audios) {
		return 0
	}
	return l.audios[track]
}

// looseContainers have no index: recorders write a length in advance or not at all,
// and files can be joined by appending.
var looseContainers = []string{"mpegts", "mpeg", "flv"}

// maxStep is the step of timestamps beyond which ffmpeg assumes a discontinuity in
// containers that may have one.
const maxStep = 10

// lengthOf reads all packets of a source, which takes as long as reading the file.
func lengthOf(ctx context.Context, program string, input recipe.File) (sourceLength, error) {
	file, err := media.Open(input)
	if err != nil {
		return sourceLength{}, err
	}
	defer file.Close()
	return scanFile(ctx, program, file)
}

// scanFile is lengthOf for an open file.
func scanFile(ctx context.Context, program string, file *os.File) (sourceLength, error) {
	ctx, cancel := context.WithTimeout(ctx, scanTimeout)
	defer cancel()
	out, err := inspect(ctx, program, file, "-of", "csv", "-show_entries",
		"packet=codec_type,stream_index,pts_time,dts_time,duration_time:"+
			"format=format_name,start_time:stream=index,codec_type:stream_disposition=attached_pic")
	if err != nil {
		return sourceLength{}, err
	}
	s := scan{streams: map[string]*scanned{}}
	if err := s.read(out); err != nil {
		return sourceLength{}, err
	}
	return s.length(), nil
}

// scan collects what ffprobe prints about packets, then streams, then the format.
type scan struct {
	streams map[string]*scanned // by index
	video   string              // index of the first video stream that is no picture
	audios  []string
	format  string
	start   float64
}

// scanned is what the packets of a stream say.
type scanned struct {
	end     float64 // of the last one shown
	elapsed float64 // without discontinuities
	last    float64 // decoding time
	length  float64 // of the last packet
	begun   bool
}

func (s *scan) read(out []byte) error {
	lines := csv.NewReader(bytes.NewReader(out))
	lines.FieldsPerRecord, lines.ReuseRecord = -1, true
	for {
		fields, err := lines.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch {
		case fields[0] == "packet" && len(fields) > 5:
			s.packet(fields[2], fields[3:6])
		case fields[0] == "stream" && len(fields) > 3:
			s.stream(fields[1], fields[2], fields[3] == "1")
		case fields[0] == "format" && len(fields) > 2:
			s.format = fields[1]
			s.start, _ = ffprobe.Seconds(fields[2]) // unknown is 0
		}
	}
}

func (s *scan) packet(index string, times []string) {
	index = strings.Clone(index)
	p := s.streams[index]
	if p == nil {
		p = &scanned{}
		s.streams[index] = p
	}
	pts, shown := ffprobe.Seconds(times[0])
	dts, decoded := ffprobe.Seconds(times[1])
	length, _ := ffprobe.Seconds(times[2]) // unknown is 0
	if shown {
		p.end = max(p.end, pts+length)
	}
	if !decoded {
		dts = pts
	}
	if !decoded && !shown {
		return
	}
	if step := dts - p.last; p.begun && step > 0 && step <= maxStep {
		p.elapsed += step
	}
	p.begun, p.last, p.length = true, dts, length
}

func (s *scan) stream(index, kind string, picture bool) {
	switch {
	case kind == "video" && !picture && s.video == "":
		s.video = strings.Clone(index)
	case kind == "audio":
		s.audios = append(s.audios, strings.Clone(index))
	}
}

func (s *scan) length() sourceLength {
	var l sourceLength
	l.loose = slices.Contains(looseContainers, s.format)
	l.audios = make([]float64, len(s.audios))
	for index, p := range s.streams {
		length := p.end - s.start
		if l.loose {
			length = p.elapsed + p.length
		}
		l.whole = max(l.whole, length)
		if index == s.video {
			l.video = length
		}
		if n := slices.Index(s.audios, index); n >= 0 {
			l.audios[n] = length
		}
	}
	return l
}
