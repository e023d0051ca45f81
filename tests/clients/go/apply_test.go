package clients

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

func TestServerSideApply(t *testing.T) {
	ctx, client, ns := cluster(t)
	deployments := client.AppsV1().Deployments(ns)
	wanted := func(replicas int32) *appsv1ac.DeploymentApplyConfiguration {
		labels := map[string]string{"app": "web"}
		return appsv1ac.Deployment("web", ns).WithSpec(appsv1ac.DeploymentSpec().WithReplicas(replicas).
			WithSelector(metav1ac.LabelSelector().WithMatchLabels(labels)).
			WithTemplate(corev1ac.PodTemplateSpec().WithLabels(labels).WithSpec(corev1ac.PodSpec().
				WithContainers(corev1ac.Container().WithName("nginx").WithImage("nginx:1.25")))))
	}
	one, err := deployments.Apply(ctx, wanted(0), metav1.ApplyOptions{FieldManager: "one"})
	must(t, err)
	again, err := deployments.Apply(ctx, wanted(0), metav1.ApplyOptions{FieldManager: "one"})
	must(t, err)
	if again.Generation != 1 || one.ManagedFields[0].Manager != "one" || one.ManagedFields[0].Operation != metav1.ManagedFieldsOperationApply {
		t.Errorf("applied twice: %+v", again.ManagedFields)
	}

	scaled := appsv1ac.Deployment("web", ns).WithSpec(appsv1ac.DeploymentSpec().WithReplicas(1))
	_, err = deployments.Apply(ctx, scaled, metav1.ApplyOptions{FieldManager: "two"})
	if !apierrors.IsConflict(err) || !strings.Contains(err.Error(), `conflict with "one": .spec.replicas`) {
		t.Errorf("another manager's field: %v", err)
	}
	forced, err := deployments.Apply(ctx, scaled, metav1.ApplyOptions{FieldManager: "two", Force: true})
	must(t, err)
	extracted, err := appsv1ac.ExtractDeployment(forced, "two")
	must(t, err)
	if *extracted.Spec.Replicas != 1 || extracted.Spec.Template != nil {
		t.Errorf("two owns more or less than the replicas: %+v", extracted.Spec)
	}
	// Who lets go of a field that nobody else owns takes it away; here the default comes back.
	dropped, err := deployments.Apply(ctx, appsv1ac.Deployment("web", ns), metav1.ApplyOptions{FieldManager: "two"})
	must(t, err)
	if *dropped.Spec.Replicas != 1 {
		t.Errorf("replicas: %d", *dropped.Spec.Replicas)
	}

	maps := client.CoreV1().ConfigMaps(ns)
	_, err = maps.Apply(ctx, corev1ac.ConfigMap("m", ns).WithData(map[string]string{"a": "1", "b": "2"}), metav1.ApplyOptions{FieldManager: "one"})
	must(t, err)
	less, err := maps.Apply(ctx, corev1ac.ConfigMap("m", ns).WithData(map[string]string{"a": "1"}), metav1.ApplyOptions{FieldManager: "one"})
	must(t, err)
	if len(less.Data) != 1 {
		t.Errorf("a key that is applied no more stays: %v", less.Data)
	}
}

func TestLeaderElection(t *testing.T) {
	ctx, client, ns := cluster(t)
	var leading [2]atomic.Bool
	candidate := func(ctx context.Context, i int) {
		id := []string{"first", "second"}[i]
		lock, err := resourcelock.New(resourcelock.LeasesResourceLock, ns, "lead", client.CoreV1(), client.CoordinationV1(), resourcelock.ResourceLockConfig{Identity: id})
		if err != nil {
			t.Error(err)
			return
		}
		leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
			Lock: lock, ReleaseOnCancel: true, LeaseDuration: 60 * time.Second, RenewDeadline: 30 * time.Second, RetryPeriod: 100 * time.Millisecond,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(ctx context.Context) { leading[i].Store(true); <-ctx.Done() },
				OnStoppedLeading: func() { leading[i].Store(false) },
			},
		})
	}
	firstCtx, stopFirst := context.WithCancel(ctx)
	go candidate(firstCtx, 0)
	until(t, ctx, "the first leads", leading[0].Load)
	go candidate(ctx, 1)
	lease, err := client.CoordinationV1().Leases(ns).Get(ctx, "lead", metav1.GetOptions{})
	must(t, err)
	if *lease.Spec.HolderIdentity != "first" || leading[1].Load() {
		t.Errorf("%+v", lease.Spec)
	}
	stopFirst()
	until(t, ctx, "the second takes over", leading[1].Load)
	lease, err = client.CoordinationV1().Leases(ns).Get(ctx, "lead", metav1.GetOptions{})
	must(t, err)
	if *lease.Spec.HolderIdentity != "second" || *lease.Spec.LeaseTransitions < 1 {
		t.Errorf("%+v", lease.Spec)
	}
}
