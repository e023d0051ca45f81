package clients

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/client-go/util/exec"
	"k8s.io/utils/ptr"
)

func runningPod(t *testing.T, ctx context.Context, client *kubernetes.Clientset, ns, image string, command ...string) {
	t.Helper()
	_, err := client.CoreV1().Pods(ns).Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "box"},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: ptr.To(int64(1)),
			Containers:                    []corev1.Container{{Name: "main", Image: image, Command: command}},
		},
	}, metav1.CreateOptions{})
	must(t, err)
	until(t, ctx, "running", func() bool {
		pod, err := client.CoreV1().Pods(ns).Get(ctx, "box", metav1.GetOptions{})
		return err == nil && len(pod.Status.ContainerStatuses) == 1 && pod.Status.ContainerStatuses[0].Ready
	})
}

// The same command over both transports that client-go has.
func TestExec(t *testing.T) {
	ctx, client, ns := cluster(t)
	runningPod(t, ctx, client, ns, "busybox", "sleep", "3600")
	config := restConfig(t)
	request := client.CoreV1().RESTClient().Post().Resource("pods").Namespace(ns).Name("box").SubResource("exec").VersionedParams(&corev1.PodExecOptions{
		Command: []string{"sh", "-c", "cat; echo problem >&2; exit 7"}, Stdin: true, Stdout: true, Stderr: true,
	}, scheme.ParameterCodec)
	input := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB: more than any window
	for name, open := range map[string]func() (remotecommand.Executor, error){
		"SPDY": func() (remotecommand.Executor, error) {
			return remotecommand.NewSPDYExecutor(config, "POST", request.URL())
		},
		"WebSocket": func() (remotecommand.Executor, error) {
			return remotecommand.NewWebSocketExecutor(config, "GET", request.URL().String())
		},
	} {
		t.Run(name, func(t *testing.T) {
			executor, err := open()
			must(t, err)
			var stdout, stderr bytes.Buffer
			err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: strings.NewReader(input), Stdout: &stdout, Stderr: &stderr})
			if code, ok := err.(exec.CodeExitError); !ok || code.Code != 7 {
				t.Errorf("exit code 7 wanted: %v", err)
			}
			if stdout.String() != input || stderr.String() != "problem\n" {
				t.Errorf("%d of %d bytes came back, stderr %q", stdout.Len(), len(input), stderr.String())
			}
		})
	}
}

func TestLogsFollow(t *testing.T) {
	ctx, client, ns := cluster(t)
	runningPod(t, ctx, client, ns, "busybox", "sh", "-c", "for i in 1 2 3 4 5; do echo line $i; sleep 0.1; done; exec sleep 3600")
	logs, err := client.CoreV1().Pods(ns).GetLogs("box", &corev1.PodLogOptions{Follow: true}).Stream(ctx)
	must(t, err)
	defer logs.Close()
	for i := range 5 {
		line := make([]byte, len("line 1\n"))
		if _, err := io.ReadFull(logs, line); err != nil || string(line) != fmt.Sprintf("line %d\n", i+1) {
			t.Fatalf("line %d: %q, %v", i+1, line, err)
		}
	}
}

func TestPortForward(t *testing.T) {
	ctx, client, ns := cluster(t)
	runningPod(t, ctx, client, ns, "nginx:1.25")
	config := restConfig(t)
	url := client.CoreV1().RESTClient().Post().Resource("pods").Namespace(ns).Name("box").SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(config)
	must(t, err)
	tunnel, err := portforward.NewSPDYOverWebsocketDialer(url, rest.CopyConfig(config))
	must(t, err)
	for name, dialer := range map[string]httpstream.Dialer{
		"SPDY":      spdy.NewDialer(upgrader, &http.Client{Transport: transport}, "POST", url),
		"WebSocket": tunnel,
	} {
		t.Run(name, func(t *testing.T) {
			stop, ready, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
			forwarder, err := portforward.NewOnAddresses(dialer, []string{"127.0.0.1"}, []string{"0:80"}, stop, ready, io.Discard, io.Discard)
			must(t, err)
			go func() { ended <- forwarder.ForwardPorts() }()
			select {
			case <-ready:
			case err := <-ended:
				t.Fatal(err)
			}
			ports, err := forwarder.GetPorts()
			must(t, err)
			for range 3 {
				answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/", ports[0].Local))
				must(t, err)
				page, err := io.ReadAll(answer.Body)
				must(t, err)
				answer.Body.Close()
				if !strings.Contains(string(page), "Welcome to nginx!") {
					t.Errorf("%s", page)
				}
			}
			close(stop)
			must(t, <-ended)
		})
	}
}
