package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/ffrtmp/ffrtmp/internal/atomicfile"
)

// Open returns the store of a location: a directory, or s3://BUCKET/PREFIX. lookup reads the environment, in which the
// settings of S3 are. It does not connect.
func Open(location string, lookup func(string) string) (Store, error) {
	scheme, rest, isURL := strings.Cut(location, "://")
	switch {
	case location == "":
		return nil, errors.New("is empty")
	case !isURL:
		return directory(location), nil
	case scheme != "s3":
		return nil, fmt.Errorf("must be a directory or s3://BUCKET/PREFIX, not %s://", scheme)
	}
	name, prefix, _ := strings.Cut(rest, "/")
	if name == "" || strings.ContainsAny(rest, "@?#") {
		return nil, errors.New("must be s3://BUCKET/PREFIX; keys come from the environment")
	}
	if prefix = strings.Trim(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	return openBucket(name, prefix, lookup)
}

// directory is a store in a directory, which is made if it is missing.
type directory string

const partial = ".partial" // ends the names of unfinished files

func (d directory) Put(_ context.Context, name string, r io.ReadSeeker, _ int64) (err error) {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return err
	}
	path := filepath.Join(string(d), name)
	f, err := os.OpenFile(path+partial, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path+partial))
	}
	if err := os.Rename(path+partial, path); err != nil {
		return err
	}
	return atomicfile.SyncDir(string(d))
}

func (d directory) List(context.Context) (list []Object, err error) {
	entries, err := os.ReadDir(string(d))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if info.Mode().IsRegular() {
			list = append(list, Object{e.Name(), info.Size()})
		}
	}
	return list, err
}

func (d directory) Remove(_ context.Context, name string) error {
	return os.Remove(filepath.Join(string(d), name))
}

// bucket is a store in an S3 bucket, below a prefix.
type bucket struct {
	client       *minio.Client
	name, prefix string
}

// openBucket reads what AWS's own tools read: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION,
// AWS_ENDPOINT_URL_S3 and AWS_ENDPOINT_URL.
func openBucket(name, prefix string, lookup func(string) string) (Store, error) {
	id, secret := lookup("AWS_ACCESS_KEY_ID"), lookup("AWS_SECRET_ACCESS_KEY")
	if id == "" || secret == "" {
		return nil, errors.New("s3:// needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment")
	}
	endpoint := lookup("AWS_ENDPOINT_URL_S3")
	if endpoint == "" {
		endpoint = lookup("AWS_ENDPOINT_URL")
	}
	if endpoint == "" {
		endpoint = "https://s3.amazonaws.com"
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("AWS_ENDPOINT_URL must be an http:// or https:// URL")
	}
	client, err := minio.New(u.Host, &minio.Options{
		Creds:  credentials.NewStaticV4(id, secret, lookup("AWS_SESSION_TOKEN")),
		Secure: u.Scheme == "https", Region: lookup("AWS_REGION"),
	})
	if err != nil {
		return nil, err
	}
	return &bucket{client, name, prefix}, nil
}

func (b *bucket) Put(ctx context.Context, name string, r io.ReadSeeker, size int64) error {
	info, err := b.client.PutObject(ctx, b.name, b.prefix+name, r, size, minio.PutObjectOptions{
		ContentType: "application/gzip",
	})
	if err == nil && info.Size != size {
		err = fmt.Errorf("stored %d of %d bytes", info.Size, size)
	}
	return err
}

func (b *bucket) List(ctx context.Context) (list []Object, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for o := range b.client.ListObjects(ctx, b.name, minio.ListObjectsOptions{Prefix: b.prefix}) {
		if o.Err != nil {
			return nil, o.Err
		}
		list = append(list, Object{strings.TrimPrefix(o.Key, b.prefix), o.Size})
	}
	return list, nil
}

func (b *bucket) Remove(ctx context.Context, name string) error {
	return b.client.RemoveObject(ctx, b.name, b.prefix+name, minio.RemoveObjectOptions{})
}
