package probe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/atomicfile"
)

const (
	cacheFile    = "encoders.json"
	trialTimeout = 5 * time.Minute // a starved machine gives ffmpeg little time
	trialsAtOnce = 2
)

// trialCache holds the result of the trials, and for which ffmpeg and devices.
type trialCache struct {
	Key      string   `json:"key"`
	Encoders []string `json:"encoders"`
}

// Encoders returns the encoders of ffrtmp.Encoders that work on this machine, in that
// order: ffmpeg lists them, and each has encoded a second of video. The result is
// cached in dir until ffmpeg or the GPU devices change, unless a trial timed out: that
// encoder may work at the next start. An error means that ffmpeg itself failed, or ctx
// ended.
func Encoders(ctx context.Context, tools Tools, dir string) ([]string, error) {
	return encoders(ctx, tools, dir, trialTimeout)
}

func encoders(ctx context.Context, tools Tools, dir string, timeout time.Duration) ([]string, error) {
	info, err := os.Stat(tools.FFmpeg)
	if err != nil {
		return nil, err
	}
	key := fmt.Sprintf("%s %s %d %d %s", tools.Version, tools.FFmpeg, info.Size(), info.ModTime().UnixNano(),
		strings.Join(gpuDevices(), " "))
	path := filepath.Join(dir, cacheFile)
	var kept trialCache
	// An unreadable cache is ignored.
	if data, err := os.ReadFile(path); err == nil && json.Unmarshal(data, &kept) == nil && kept.Key == key {
		return kept.Encoders, nil
	}
	found, final, err := tryAll(ctx, tools, timeout)
	if err != nil || !final {
		return found, err
	}
	data, err := json.Marshal(trialCache{key, found})
	if err != nil {
		return nil, err
	}
	return found, atomicfile.WriteVolatile(path, data)
}

// tryAll returns the encoders that work, and whether no trial timed out.
func tryAll(ctx context.Context, tools Tools, timeout time.Duration) (found []string, final bool, err error) {
	list, err := run(ctx, tools.FFmpeg, "-hide_banner", "-encoders")
	if err != nil {
		return nil, false, err
	}
	var listed []string
	for line := range strings.Lines(string(list)) {
		if f := strings.Fields(line); len(f) > 1 {
			listed = append(listed, f[1])
		}
	}
	results := make([]error, len(ffrtmp.Encoders))
	var trials errgroup.Group
	trials.SetLimit(trialsAtOnce)
	for i, encoder := range ffrtmp.Encoders {
		if !slices.Contains(listed, encoder) {
			results[i] = errors.New("not listed")
			continue
		}
		trials.Go(func() error {
			results[i] = try(ctx, tools, encoder, timeout)
			return ctx.Err()
		})
	}
	if err := trials.Wait(); err != nil {
		return nil, false, err
	}
	found, final = []string{}, true
	for i, err := range results {
		if err == nil {
			found = append(found, ffrtmp.Encoders[i])
		}
		final = final && !errors.Is(err, context.DeadlineExceeded)
	}
	return found, final, nil
}

// try encodes one second with an encoder.
func try(ctx context.Context, tools Tools, encoder string, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	args := []string{"-hide_banner", "-nostdin", "-loglevel", "error"}
	filter := "format=yuv420p"
	switch {
	case strings.HasSuffix(encoder, "_vaapi"):
		device := vaapiDevice()
		if device == "" {
			return errors.New("no device")
		}
		args = append(args, "-vaapi_device", device)
		filter = "format=nv12,hwupload"
	case strings.HasSuffix(encoder, "_qsv"):
		filter = "format=nv12"
	}
	args = append(args, "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=10", "-t", "1", "-vf", filter, "-c:v", encoder)
	if encoder == "libaom-av1" {
		args = append(args, "-cpu-used", "8")
	}
	_, err := run(ctx, tools.FFmpeg, append(args, "-f", "null", "-")...)
	return err
}
