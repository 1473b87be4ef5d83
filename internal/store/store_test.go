package store

import (
	"context"
	"strings"
	"testing"
)

func TestClean(t *testing.T) {
	Register("s3", func(context.Context, string, string) (Bucket, error) { return nil, nil })
	for _, test := range []struct{ name, want, options string }{
		{"rows.jsonl", "rows.jsonl", ""},
		{"a?b=c", "a?b=c", ""},
		{"s3://b/k", "s3://b/k", ""},
		{"s3://b1/k?region=eu-north-1&endpoint=http://h:1", "s3://b1/k", "region=eu-north-1&endpoint=http://h:1"},
		{"s3://b2/data/part-?.parquet", "s3://b2/data/part-?.parquet", ""},
		{"s3://b3/data/part-?.parquet?anonymous=true", "s3://b3/data/part-?.parquet", "anonymous=true"},
		{"s3://b4/a b%20ü", "s3://b4/a b%20ü", ""},
		{"s3://b5/year=2024/x?profile=p", "s3://b5/year=2024/x", "profile=p"},
	} {
		got := test.name
		if err := Clean(&got); err != nil || got != test.want || buckets.options[Root(got)] != test.options {
			t.Errorf("%s: %q with %q, %v", test.name, got, buckets.options[Root(got)], err)
		}
	}
	for name, want := range map[string]string{
		"gs://b/k": "-tags tfrun_gcs", "az://c/k": "-tags tfrun_azure", "s3a://b/k": "write s3://", "ftp://h/k": "there is no store", "file:///x": "without file://",
		"s3:///k": "want s3://BUCKET/KEY", "s3://b//k": "empty part", "s3://user:secret@h/k": "want s3://",
	} {
		if err := Clean(&name); KindOf(err) != Usage || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	a, b := "s3://twice/a?region=x", "s3://twice/b?region=y"
	if err := Clean(&a, &b); KindOf(err) != Usage {
		t.Errorf("two options for a bucket: %v", err)
	}
}

func TestNames(t *testing.T) {
	for _, test := range [][3]string{{"s3://b", "k", "s3://b/k"}, {"s3://b/", "k", "s3://b/k"}, {"s3://b/a/", "c/d", "s3://b/a/c/d"}, {"a/b", "c", "a/b/c"}} {
		if got := Join(test[0], test[1]); got != test[2] {
			t.Errorf("Join(%q, %q) = %q", test[0], test[1], got)
		}
	}
	for _, test := range []struct {
		folder, name string
		want         bool
	}{
		{"s3://b/a", "s3://b/a", true},
		{"s3://b/a/", "s3://b/a", true},
		{"s3://b/a", "s3://b/a/b", true},
		{"s3://b/a", "s3://b/ab", false},
		{"s3://b", "s3://b/ab", true},
		{"s3://b", "s3://c", false},
		{"s3://b/a", "s3://b", false},
	} {
		if got := Below(test.folder, test.name); got != test.want {
			t.Errorf("Below(%q, %q) = %v", test.folder, test.name, got)
		}
	}
}
