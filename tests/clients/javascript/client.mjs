// What programs do with the official JavaScript client. Prints "pass NAME" or "FAIL NAME: why" a line, "end" last.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import net from 'node:net';
import { PassThrough, Readable } from 'node:stream';

const k8s = createRequire(process.env.CLIENT_LIBRARY + '/')('@kubernetes/client-node');
const config = new k8s.KubeConfig();
config.loadFromDefault();
const core = config.makeApiClient(k8s.CoreV1Api);
const namespace = 'default';

const configMap = (name, data = {}) => ({ metadata: { name, labels: { set: 'javascript' } }, data });
const expectCode = (code, promise) => assert.rejects(promise, (e) => (assert.equal(e.code, code), true));
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
async function until(what, condition, seconds = 30) {
  for (const end = Date.now() + seconds * 1000; !(await condition()); await sleep(50)) {
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s`);
  }
}
function collected(stream) {
  const got = { text: '' };
  stream.on('data', (part) => (got.text += part));
  return got;
}

async function crud() {
  const made = await core.createNamespacedConfigMap({ namespace, body: configMap('crud', { a: '1' }) });
  const changed = await core.replaceNamespacedConfigMap({ namespace, name: 'crud', body: { ...made, data: { a: '2' } } });
  assert.deepEqual(changed.data, { a: '2' });
  await expectCode(409, core.replaceNamespacedConfigMap({ namespace, name: 'crud', body: { ...made, data: { a: '3' } } }));
  await expectCode(409, core.createNamespacedConfigMap({ namespace, body: configMap('crud') }));
  const listed = await core.listNamespacedConfigMap({ namespace, labelSelector: 'set=javascript' });
  assert.deepEqual(listed.items.map((c) => c.metadata.name), ['crud']);
  await core.deleteNamespacedConfigMap({ namespace, name: 'crud' });
  await expectCode(404, core.readNamespacedConfigMap({ namespace, name: 'crud' }));
}

async function patches() {
  const as = (type) => k8s.setHeaderOptions('Content-Type', type);
  const name = 'patched';
  await core.createNamespacedConfigMap({ namespace, body: configMap(name, { a: '1', b: '1' }) });
  const patch = async (type, body, more = {}) => (await core.patchNamespacedConfigMap({ namespace, name, body, ...more }, as(type))).data;
  assert.deepEqual(await patch(k8s.PatchStrategy.JsonPatch, [{ op: 'remove', path: '/data/b' }]), { a: '1' });
  assert.deepEqual(await patch(k8s.PatchStrategy.MergePatch, { data: { a: null, c: '1' } }), { c: '1' });
  assert.deepEqual(await patch(k8s.PatchStrategy.StrategicMergePatch, { data: { d: '1' } }), { c: '1', d: '1' });
  const applied = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { e: '1' } };
  assert.deepEqual(await patch(k8s.PatchStrategy.ServerSideApply, applied, { fieldManager: 'javascript' }), { c: '1', d: '1', e: '1' });
  await core.deleteNamespacedConfigMap({ namespace, name });
}

async function watching() {
  const start = (await core.listNamespacedConfigMap({ namespace })).metadata.resourceVersion;
  const events = [];
  const request = await new k8s.Watch(config).watch(`/api/v1/namespaces/${namespace}/configmaps`, { resourceVersion: start, labelSelector: 'set=javascript' },
    (type, object) => events.push(`${type} ${object.metadata.name}`), () => {});
  await core.createNamespacedConfigMap({ namespace, body: configMap('seen') });
  await core.deleteNamespacedConfigMap({ namespace, name: 'seen' });
  await until('two events', () => events.length === 2);
  request.abort();
  assert.deepEqual(events, ['ADDED seen', 'DELETED seen']);
}

async function informer() {
  const list = () => core.listNamespacedConfigMap({ namespace, labelSelector: 'set=javascript' });
  const informed = k8s.makeInformer(config, `/api/v1/namespaces/${namespace}/configmaps`, list, 'set=javascript');
  const events = [];
  for (const kind of ['add', 'update', 'delete']) informed.on(kind, (object) => events.push(`${kind} ${object.metadata.name}`));
  await core.createNamespacedConfigMap({ namespace, body: configMap('before') });
  await informed.start();
  await until('the first', () => events.length === 1);
  await core.createNamespacedConfigMap({ namespace, body: configMap('after') });
  await core.deleteNamespacedConfigMap({ namespace, name: 'before' });
  await until('two more', () => events.length === 3);
  assert.deepEqual(events, ['add before', 'add after', 'delete before']);
  assert.deepEqual(informed.list().map((c) => c.metadata.name), ['after']);
  await informed.stop();
  await core.deleteNamespacedConfigMap({ namespace, name: 'after' });
}

async function anyKind() {
  const objects = k8s.KubernetesObjectApi.makeApiClient(config);
  const tab = { apiVersion: 'stable.example.com/v1', kind: 'CronTab', metadata: { name: 'tab', namespace }, spec: { cronSpec: '* * * * */5', image: 'x' } };
  assert.equal((await objects.create(tab)).spec.replicas, 1);
  const changed = await objects.patch({ ...tab, spec: { replicas: 2 } }, undefined, undefined, undefined, undefined, k8s.PatchStrategy.MergePatch);
  assert.equal(changed.spec.replicas, 2);
  await expectCode(415, objects.patch(tab, undefined, undefined, undefined, undefined, k8s.PatchStrategy.StrategicMergePatch));
  await objects.delete(tab);
  await expectCode(404, objects.read(tab));
}

async function podsUp() {
  const pod = (name, image, command) => ({ metadata: { name }, spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'main', image, command }] } });
  await core.createNamespacedPod({ namespace, body: pod('box', 'busybox', ['sh', '-c', 'echo one; echo two; exec sleep 1000']) });
  await core.createNamespacedPod({ namespace, body: pod('web', 'nginx') });
  for (const name of ['box', 'web']) await until(name, async () => (await core.readNamespacedPod({ namespace, name })).status.phase === 'Running');
}

async function logs() {
  await until('both lines', async () => (await core.readNamespacedPodLog({ namespace, name: 'box' })) === 'one\ntwo\n');
  const out = new PassThrough();
  const got = collected(out);
  const request = await new k8s.Log(config).log(namespace, 'box', 'main', out, { follow: true });
  await until('both lines, followed', () => got.text === 'one\ntwo\n');
  request.abort();
}

async function runInPod() {
  const out = new PassThrough(), err = new PassThrough();
  const got = collected(out), complained = collected(err);
  const status = await new Promise((done, failed) => {
    new k8s.Exec(config).exec(namespace, 'box', 'main', ['sh', '-c', 'read a; echo got $a; echo bad >&2; exit 7'], out, err, Readable.from(['this\n']), false, done).catch(failed);
  });
  await until('its output', () => got.text !== '' && complained.text !== '');
  assert.equal(got.text, 'got this\n');
  assert.equal(complained.text, 'bad\n');
  assert.equal(status.reason, 'NonZeroExitCode');
  assert.equal(status.details.causes[0].message, '7');
}

async function forwarded() {
  const forward = new k8s.PortForward(config);
  const server = net.createServer((socket) => forward.portForward(namespace, 'web', [80], socket, null, socket));
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const socket = net.connect(server.address().port, '127.0.0.1');
  const got = collected(socket);
  socket.write('GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n');
  await until('an answer', () => got.text.includes('</html>'));
  assert.equal(got.text.split('\r\n')[0], 'HTTP/1.1 200 OK');
  socket.destroy();
  server.close();
}

for (const check of [crud, patches, watching, informer, anyKind, podsUp, logs, runInPod, forwarded]) {
  try {
    await check();
    console.log(`pass javascript ${check.name}`);
  } catch (e) {
    console.log(`FAIL javascript ${check.name}: ${String(e && e.message).replaceAll('\n', ' ').slice(0, 500)}`);
  }
}
console.log('end');
process.exit(0);
