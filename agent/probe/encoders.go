package probe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
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

// Cached returns the encoders that earlier trials found to work, if they were made with this ffmpeg and these devices.
func Cached(tools Tools, dir string) (encoders []string, ok bool) {
	key, err := keyOf(tools)
	if err != nil {
		return nil, false
	}
	var kept trialCache
	// An unreadable cache is ignored.
	data, err := os.ReadFile(filepath.Join(dir, cacheFile))
	if err != nil || json.Unmarshal(data, &kept) != nil || kept.Key != key {
		return nil, false
	}
	return kept.Encoders, true
}

func keyOf(tools Tools) (string, error) {
	info, err := os.Stat(tools.FFmpeg)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %s %d %d %s", tools.Version, tools.FFmpeg, info.Size(), info.ModTime().UnixNano(),
		strings.Join(gpuDevices(), " ")), nil
}

// Encoders returns the encoders of ffrtmp.Encoders that work on this machine, in that
// order: ffmpeg lists them, and each has encoded a second of video. Whenever one has, report
// gets those that work so far. The result is cached in dir until ffmpeg or the GPU devices
// change, unless a trial timed out: that encoder may work at the next start. An error means
// that ffmpeg itself failed, or ctx ended.
func Encoders(ctx context.Context, tools Tools, dir string, report func(working []string)) ([]string, error) {
	return encoders(ctx, tools, dir, report, trialTimeout)
}

func encoders(ctx context.Context, tools Tools, dir string, report func([]string), timeout time.Duration,
) ([]string, error) {
	if kept, ok := Cached(tools, dir); ok {
		return kept, nil
	}
	key, err := keyOf(tools)
	if err != nil {
		return nil, err
	}
	found, final, err := tryAll(ctx, tools, report, timeout)
	if err != nil || !final {
		return found, err
	}
	data, err := json.Marshal(trialCache{key, found})
	if err != nil {
		return nil, err
	}
	return found, atomicfile.WriteVolatile(filepath.Join(dir, cacheFile), data)
}

// tryAll returns the encoders that work, and whether no trial timed out.
func tryAll(ctx context.Context, tools Tools, report func([]string), timeout time.Duration) (
	found []string, final bool, err error,
) {
	listed, err := listed(ctx, tools)
	if err != nil {
		return nil, false, err
	}
	var mu sync.Mutex
	works := map[string]bool{}
	final = true
	var trials errgroup.Group
	trials.SetLimit(trialsAtOnce)
	for _, encoder := range listed {
		trials.Go(func() error {
			err := try(ctx, tools, encoder, timeout)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				works[encoder] = true
				report(inOrder(works))
			}
			final = final && !errors.Is(err, context.DeadlineExceeded)
			return ctx.Err()
		})
	}
	if err := trials.Wait(); err != nil {
		return nil, false, err
	}
	return inOrder(works), final, nil
}

// listed returns those of ffrtmp.Encoders that ffmpeg lists.
func listed(ctx context.Context, tools Tools) ([]string, error) {
	list, err := run(ctx, tools.FFmpeg, "-hide_banner", "-encoders")
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for line := range strings.Lines(string(list)) {
		if f := strings.Fields(line); len(f) > 1 {
			found[f[1]] = true
		}
	}
	return inOrder(found), nil
}

// inOrder returns the given ones of ffrtmp.Encoders, in that order.
func inOrder(set map[string]bool) []string {
	list := []string{}
	for _, encoder := range ffrtmp.Encoders {
		if set[encoder] {
			list = append(list, encoder)
		}
	}
	return list
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
