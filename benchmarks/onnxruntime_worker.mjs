// Runs ONNX models in ONNX Runtime: one JSON object a line in, one out.
//
// usage: node onnxruntime_worker.mjs DIRECTORY, which has onnxruntime-node in
// its node_modules.
//
//   {"do": "run", "model", "threads", "input", "batch_size", "sample", "output"}
//   {"do": "time", "model", "threads", "input", "batch_size", "seconds"}
//
// Input and output are files of f32 numbers; samples are vectors, unless `sample`
// gives their shape. `time` answers with the median
// time of a call.

import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import readline from 'node:readline';

const require = createRequire(path.resolve(process.argv[2], 'package.json'));
const { Tensor } = require('onnxruntime-node');
// The native session below the public one, whose `run` waits for a turn of
// node's event loop before it calls it.
const { binding, initOrt } = require('onnxruntime-node/dist/binding.js');

const WARM_UP = 5; // calls, as in `bench`

const sessions = new Map();

function sessionOf({ model, threads }) {
  const key = JSON.stringify([model, threads]);
  if (!sessions.has(key)) {
    initOrt();
    const session = new binding.InferenceSession();
    session.loadModel(model, {
      executionProviders: ['cpu'],
      executionMode: 'sequential',
      graphOptimizationLevel: 'all',
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
    });
    sessions.set(key, session);
  }
  return sessions.get(key);
}

// A function without arguments that calls the model and returns its result.
function callOf(request) {
  const session = sessionOf(request);
  const bytes = fs.readFileSync(request.input);
  const values = new Float32Array(
    bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  const sample = request.sample ?? [values.length / request.batch_size];
  const dimensions = [request.batch_size, ...sample];
  const feeds = { [session.inputMetadata[0].name]: new Tensor('float32', values, dimensions) };
  const name = session.outputMetadata[0].name;
  const fetches = { [name]: null };
  return () => session.run(feeds, fetches, {})[name];
}

function median(values) {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

function measure(call, seconds) {
  for (let i = 0; i < WARM_UP; ++i) call();
  const times = [];
  const begin = performance.now();
  do {
    const start = performance.now();
    call();
    times.push(performance.now() - start);
  } while (performance.now() - begin < seconds * 1e3);
  return median(times);
}

function answer(request) {
  const call = callOf(request);
  if (request.do === 'time') return { forward_ms: measure(call, request.seconds) };
  const { data } = call();
  fs.writeFileSync(request.output, Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  return {};
}

function send(object) {
  process.stdout.write(JSON.stringify(object) + '\n');
}

send({ version: require('onnxruntime-node/package.json').version });
for await (const line of readline.createInterface({ input: process.stdin })) {
  try {
    send(answer(JSON.parse(line)));
  } catch (error) {
    send({ error: String(error) });
  }
}
