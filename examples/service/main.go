// Command service answers rows of JSON over HTTP with the models that it is given:
//
//	service reviews=path/to/model digits=other/model
//	curl -d '{"keras_tensor": [12, 7, 431]}' localhost:8080/reviews
//	{"output_0":[0.5047605]}
//	curl -X POST localhost:8080/reviews/reload     # after the model's files were replaced
//	curl localhost:8080/stats
//
// Rows of requests that come at the same time share batches, and each gets the answer that it gets
// alone. It is an example of package runner and no server for the world: whoever may reach it may
// reload models.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner"
)

// answerWithin bounds a request; its row then runs no longer, and the cores are free.
const answerWithin = 2 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, cmp.Or(os.Getenv("LISTEN"), "localhost:8080"), os.Args[1:]); err != nil {
		slog.Error("service", "error", err)
		os.Exit(1)
	}
}

// serve loads the models, NAME=FOLDER each, and answers until ctx is done.
func serve(ctx context.Context, address string, models []string) error {
	pool := &pool{options: runner.Options{Logger: slog.Default()}}
	defer pool.close()
	for _, m := range models {
		name, dir, ok := strings.Cut(m, "=")
		if !ok {
			return fmt.Errorf("%q: want NAME=FOLDER", m)
		}
		if err := pool.load(ctx, name, dir); err != nil {
			return err
		}
	}
	server := &http.Server{Addr: address, Handler: pool.handler(), ReadHeaderTimeout: time.Second}
	context.AfterFunc(ctx, func() { _ = server.Shutdown(context.WithoutCancel(ctx)) })
	slog.Info("ready", "address", address, "models", len(models))
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// handler answers requests.
func (p *pool) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{model}", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), answerWithin)
		defer cancel()
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		var answer []byte
		if err == nil {
			answer, err = p.answer(ctx, r.PathValue("model"), body)
		}
		if err != nil {
			w.WriteHeader(status(err))
			answer, _ = json.Marshal(map[string]string{"error": err.Error()})
		}
		_, _ = w.Write(append(answer, '\n'))
	})
	mux.HandleFunc("POST /{model}/reload", func(w http.ResponseWriter, r *http.Request) {
		if err := p.reload(r.Context(), r.PathValue("model")); err != nil {
			http.Error(w, err.Error(), status(err))
		}
	})
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(p.stats())
	})
	return mux
}

// answer runs one row.
func (p *pool) answer(ctx context.Context, name string, body []byte) ([]byte, error) {
	m, done, err := p.use(name)
	if err != nil {
		return nil, err
	}
	defer done()
	row, err := m.predictor.ParseRow(body)
	if err != nil {
		return nil, err
	}
	result, err := m.batcher.Run(ctx, row)
	if err != nil {
		return nil, err
	}
	return runner.AppendRow(nil, m.predictor.OutputNames(), result)
}

// status says whose fault an error is.
func status(err error) int {
	var (
		syntax *dataset.SyntaxError
		column *dataset.ColumnError
		limit  *dataset.LimitError
		feed   *runner.FeedError
		name   *runner.NameError
		row    *runner.RowError
		size   *http.MaxBytesError
	)
	switch {
	case errors.Is(err, errNoModel):
		return http.StatusNotFound
	case errors.As(err, &syntax), errors.As(err, &column), errors.As(err, &limit), errors.As(err, &feed), errors.As(err, &name), errors.As(err, &row):
		return http.StatusBadRequest // the row, not the service
	case errors.As(err, &size):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}
