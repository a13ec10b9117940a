package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/ffrtmp/ffrtmp/internal/ffprobe"
)

// sourceSeconds is the length of the default clip, long enough to kill a leader
// half-way through its encode.
const sourceSeconds = 30

// media is the output of ffprobe for a file.
type media struct {
	codec         string
	width, height int
	rate          string
	seconds       float64
	audio         bool
}

func (m media) String() string {
	return fmt.Sprintf("%s %dx%d at %s fps, %.1f s", m.codec, m.width, m.height, m.rate, m.seconds)
}

// check compares the output of scenario with its source.
func (m media) check(source media) error {
	width := int(math.Round(720*float64(source.width)/float64(source.height)/2)) * 2
	switch {
	case m.codec != "h264":
		return fmt.Errorf("got codec %s, want h264", m.codec)
	case m.height != 720 || m.width != width:
		return fmt.Errorf("got size %dx%d, want %dx720", m.width, m.height, width)
	case m.rate != "30/1":
		return fmt.Errorf("got frame rate %s, want 30/1", m.rate)
	case math.Abs(m.seconds-source.seconds) > 0.5:
		return fmt.Errorf("got %.2f s, want %.2f s", m.seconds, source.seconds)
	case m.audio != source.audio:
		return fmt.Errorf("got audio %v, want %v", m.audio, source.audio)
	}
	return nil
}

// prepare puts the input into the media root: a copy of file, or a clip made with ffmpeg.
func (d *demo) prepare(ctx context.Context, file string) error {
	root := d.cluster.MediaRoot()
	if file != "" {
		d.input = filepath.Base(file)
		if err := copyFile(filepath.Join(root, d.input), file); err != nil {
			return err
		}
	} else {
		d.input = "source.mp4"
		d.say("creating a %d s test clip with ffmpeg", sourceSeconds)
		cmd := exec.CommandContext(ctx, "ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin",
			"-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=30",
			"-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000",
			"-t", strconv.Itoa(sourceSeconds), "-c:v", "libx264", "-preset", "ultrafast",
			"-pix_fmt", "yuv420p", "-c:a", "aac",
			filepath.Join(root, d.input))
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("create the clip: %w\n%s", err, out)
		}
	}
	var err error
	d.source, err = probe(ctx, filepath.Join(root, d.input))
	return err
}

func probe(ctx context.Context, path string) (media, error) {
	r, err := ffprobe.Run(ctx, path)
	if err != nil {
		return media{}, err
	}
	video := r.First("video")
	if video.Codec == "" {
		return media{}, fmt.Errorf("%s has no video stream", path)
	}
	seconds, ok := ffprobe.Seconds(r.Format.Duration)
	if !ok {
		return media{}, fmt.Errorf("%s has no duration", path)
	}
	return media{
		codec: video.Codec, width: video.Width, height: video.Height, rate: video.AverageRate, seconds: seconds,
		audio: r.First("audio").Codec != "",
	}, nil
}

func copyFile(to, from string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, in)
	return err
}

func sha256File(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
