/* The C interface of the dann runtime: load a compiled model, run and train it.
 *
 *   dann_program *program;
 *   dann_session *session;
 *   dann_error *error = dann_program_load("fashion.so", &program);
 *   if (!error)
 *     error = dann_session_create(program, NULL, &session);
 *
 * Errors. A function that can fail returns NULL, or an error that the caller
 * destroys. Its results then hold NULL or zero, and the session is as it was
 * before, unless the error is DANN_OUT_OF_MEMORY or DANN_INTERNAL and came
 * while compiled code was running: parameters that it was writing then hold
 * unspecified values. No function throws, prints or ends the process. A pointer
 * that must not be NULL, and is, is a DANN_INVALID_ARGUMENT like any other.
 *
 * Ownership. What a function whose name ends in _create, _load or _run makes
 * belongs to the caller, who ends it by the _destroy of its type; these take
 * NULL. Programs are counted: a session keeps its program, so they may be
 * destroyed in any order. Strings and shapes that a function gives belong to
 * the object they were asked of and live as long as it does. Nothing that a
 * caller passes in is kept beyond the call.
 *
 * Threads. A program is immutable and may be used from any number of threads. A
 * session, and the results of a run, belong to one thread at a time; different
 * sessions run in parallel. Errors belong to whoever got them.
 *
 * Versions. Structures that begin with `size` may grow: the caller stores the
 * size that it was compiled with there. Enumerations may grow at their end. All
 * else keeps its meaning under the version of the symbols, DANN_0.1.
 */
#ifndef DANN_DANN_H
#define DANN_DANN_H

#include <stddef.h>
#include <stdint.h>

#define DANN_C_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the library, e.g. "0.1.0". */
DANN_C_API const char *dann_version(void);

/*===- Errors -------------------------------------------------------------===*/

typedef struct dann_error dann_error;

typedef enum dann_error_code {
  DANN_OK = 0,               /* of NULL */
  DANN_INVALID_ARGUMENT = 1, /* a value, shape, type or name that was given */
  DANN_INVALID_DATA = 2,     /* a file whose content is not what it must be */
  DANN_INCOMPATIBLE = 3,     /* things that do not fit together, or this CPU */
  DANN_INPUT_OUTPUT = 4,     /* the system could not read or write a file */
  DANN_OUT_OF_MEMORY = 5,
  DANN_DIVERGED = 6, /* training gave values that are not finite */
  DANN_INTERNAL = 7  /* a defect of the compiler or the runtime */
} dann_error_code;

/* DANN_OK for NULL. */
DANN_C_API dann_error_code dann_error_get_code(const dann_error *error);

/* One line in lower case without a full stop; "" for NULL. Lives as long as the
 * error. */
DANN_C_API const char *dann_error_get_message(const dann_error *error);

/* Takes NULL. */
DANN_C_API void dann_error_destroy(dann_error *error);

/*===- Tensors ------------------------------------------------------------===*/

typedef enum dann_element_type {
  DANN_F32 = 0,
  DANN_F64 = 1,
  DANN_BF16 = 2, /* the upper half of an f32 */
  DANN_I8 = 3,
  DANN_I16 = 4,
  DANN_I32 = 5,
  DANN_I64 = 6,
  DANN_U8 = 7,
  DANN_U16 = 8,
  DANN_U32 = 9,
  DANN_U64 = 10,
  DANN_BOOL = 11 /* one byte, 0 or 1 */
} dann_element_type;

/* Bytes of one element; 0 if there is no such type. */
DANN_C_API size_t dann_element_size(dann_element_type type);

/* A view of elements that someone else owns. */
typedef struct dann_tensor {
  dann_element_type element_type;
  size_t rank;          /* 0 for a scalar */
  const int64_t *shape; /* `rank` extents, slowest dimension first; may be NULL
                           if rank is 0 */
  /* `rank` strides in elements, or NULL for row-major ones. No others are
   * supported: what is given is checked. */
  const int64_t *strides;
  const void *data; /* aligned for its type */
  size_t byte_size; /* of the data; has to be that of the shape */
} dann_tensor;

typedef struct dann_named_tensor {
  const char *name;
  dann_tensor tensor;
} dann_named_tensor;

/*===- Programs -----------------------------------------------------------===*/

/* A compiled model: code and its description, no parameter values. */
typedef struct dann_program dann_program;

typedef enum dann_sign {
  DANN_ANY = 0,
  DANN_NON_NEGATIVE = 1,
  DANN_NON_POSITIVE = 2
} dann_sign;

typedef enum dann_access {
  DANN_READ = 0,  /* an input */
  DANN_WRITE = 1, /* a result */
  DANN_UPDATE = 2 /* read, then overwritten in place */
} dann_access;

/* The extent of a dimension that is the number of samples given. */
#define DANN_BATCH ((int64_t)-1)

/* Input, classes and defaults are those of programs that train; classes is 0
 * for others, and the rest then has no meaning. */
typedef struct dann_program_info {
  size_t size; /* in: sizeof(dann_program_info) */
  const char *name;
  dann_element_type element_type; /* of parameters, input and results */
  size_t input_rank;              /* of one sample */
  const int64_t *input_shape;
  double input_minimum; /* every input value lies in */
  double input_maximum; /* [input_minimum, input_maximum] */
  int64_t classes;      /* labels lie in [0, classes) */
  int64_t default_batch_size;
  int64_t default_epochs;
  double default_learning_rate;
  const char *target_cpu;
  size_t parameter_count;
  size_t entry_point_count;
} dann_program_info;

typedef struct dann_parameter_info {
  size_t size; /* in: sizeof(dann_parameter_info) */
  const char *name;
  const char *role; /* wex, wix, wei, alpha, g, b, w, ... */
  dann_sign sign;   /* of all its values, always */
  size_t rank;
  const int64_t *shape;
} dann_parameter_info;

typedef struct dann_entry_point_info {
  size_t size; /* in: sizeof(dann_entry_point_info) */
  const char *name;
  size_t argument_count;
} dann_entry_point_info;

typedef struct dann_argument_info {
  size_t size; /* in: sizeof(dann_argument_info) */
  const char *name;
  dann_element_type element_type;
  dann_access access;
  size_t rank;
  const int64_t *shape; /* the first extent may be DANN_BATCH */
} dann_argument_info;

/* Loads a shared object made by `dann-compile --emit=shared`. Its code is
 * trusted as any other library is; its description is checked.
 * DANN_INPUT_OUTPUT if it cannot be loaded, DANN_INVALID_DATA if it is no
 * program, DANN_INCOMPATIBLE if it was made for another version. */
DANN_C_API dann_error *dann_program_load(const char *path,
                                         dann_program **program);

/* Takes NULL. Sessions of the program stay usable. */
DANN_C_API void dann_program_destroy(dann_program *program);

/* These fill the structure that the caller gives. DANN_INVALID_ARGUMENT if
 * there is no such parameter, entry point or argument; they count from 0. */
DANN_C_API dann_error *dann_program_get_info(const dann_program *program,
                                             dann_program_info *info);
DANN_C_API dann_error *dann_program_get_parameter(const dann_program *program,
                                                  size_t parameter,
                                                  dann_parameter_info *info);
DANN_C_API dann_error *
dann_program_get_entry_point(const dann_program *program, size_t entry_point,
                             dann_entry_point_info *info);
DANN_C_API dann_error *dann_program_get_argument(const dann_program *program,
                                                 size_t entry_point,
                                                 size_t argument,
                                                 dann_argument_info *info);

/*===- Sessions -----------------------------------------------------------===*/

/* The parameters of a program and what it needs to run, threads included. */
typedef struct dann_session dann_session;

typedef struct dann_session_options {
  size_t size; /* sizeof(dann_session_options) */
  /* How many threads to compute with, the caller's among them, up to 1024; 0
   * for as many as there are physical cores that the process may use. */
  int32_t threads;
} dann_session_options;

/* Parameters have the initial values that the program holds, if any. `options`
 * may be NULL. DANN_INCOMPATIBLE if this CPU lacks what the program was
 * compiled for, DANN_INVALID_ARGUMENT for a number of threads out of range,
 * DANN_OUT_OF_MEMORY or DANN_INTERNAL if the system refuses to start them. */
DANN_C_API dann_error *dann_session_create(const dann_program *program,
                                           const dann_session_options *options,
                                           dann_session **session);

/* Takes NULL. Ends the threads of the session; no call of it may be running. */
DANN_C_API void dann_session_destroy(dann_session *session);

/* How many threads compute, the caller's among them; 0 for NULL. */
DANN_C_API int32_t dann_session_get_threads(const dann_session *session);

/* Gives parameters their initial values: those that the program holds, or else
 * random ones, which depend on the seed only. The optimizer starts afresh. */
DANN_C_API dann_error *dann_session_initialize(dann_session *session,
                                               int64_t seed);

/* A safetensors file with all parameters of the program; to be loaded, it may
 * hold the optimizer's state besides, which is not taken. Saved, it appears
 * under its name complete and on disk, or not at all. DANN_INPUT_OUTPUT if it
 * cannot be read or written, DANN_INVALID_DATA if it is damaged,
 * DANN_INCOMPATIBLE if it belongs to another model, DANN_INVALID_ARGUMENT if a
 * parameter to save has no value yet. */
DANN_C_API dann_error *dann_session_load_parameters(dann_session *session,
                                                    const char *path);
DANN_C_API dann_error *dann_session_save_parameters(const dann_session *session,
                                                    const char *path);

/* Fills `view` with a view of the session's own elements: not to be written to,
 * changed by later steps, and valid as long as the session.
 * DANN_INVALID_ARGUMENT if there is no such parameter. */
DANN_C_API dann_error *dann_session_get_parameter(const dann_session *session,
                                                  const char *name,
                                                  dann_tensor *view);

/* Copies `value` into a parameter. DANN_INVALID_ARGUMENT if the name, shape or
 * type is wrong, or a value is not finite or breaks the parameter's sign. */
DANN_C_API dann_error *dann_session_set_parameter(dann_session *session,
                                                  const char *name,
                                                  const dann_tensor *value);

/* The next three are for programs that train. They take samples x [samples,
 * ...input shape] and labels y [samples], whole numbers in [0, classes).
 * DANN_INVALID_ARGUMENT if the program does not train, for shapes, types and
 * values that are wrong, and if a parameter has no value yet. */

/* Logits [samples, classes] of x into the caller's memory: elements of the
 * program's type, of which `byte_size` has to be the exact size. */
DANN_C_API dann_error *dann_session_forward(dann_session *session,
                                            const dann_tensor *x, void *logits,
                                            size_t byte_size);

/* One optimizer step on a minibatch. `loss`, which may be NULL, receives its
 * mean loss before the step. The learning rate has to be finite and not
 * negative. */
DANN_C_API dann_error *dann_session_train_step(dann_session *session,
                                               const dann_tensor *x,
                                               const dann_tensor *y,
                                               double learning_rate,
                                               double *loss);

/* The mean loss over the samples, and how many of them are classified wrongly.
 * `loss` and `errors` may be NULL. */
DANN_C_API dann_error *dann_session_evaluate(dann_session *session,
                                             const dann_tensor *x,
                                             const dann_tensor *y, double *loss,
                                             int64_t *errors);

/* What an entry point wrote, in memory of its own. */
typedef struct dann_results dann_results;

/* Calls an entry point by name, with its inputs by the names of its arguments.
 * Element types are converted, shapes have to match. Parameters that are not
 * given are the session's, learning_rate is the program's default. `inputs` may
 * be NULL if `input_count` is 0. DANN_INVALID_ARGUMENT for inputs that are
 * missing, unknown, given twice, of the wrong shape or out of range, and if a
 * parameter has no value yet. */
DANN_C_API dann_error *dann_session_run(dann_session *session,
                                        const char *entry_point,
                                        const dann_named_tensor *inputs,
                                        size_t input_count,
                                        dann_results **results);

/* How many results there are; 0 for NULL. */
DANN_C_API size_t dann_results_get_count(const dann_results *results);

/* Fills `result` with the name and a view of a result, in the order of their
 * names; both live as long as the results. DANN_INVALID_ARGUMENT if there is
 * no such result; they count from 0. */
DANN_C_API dann_error *dann_results_get(const dann_results *results,
                                        size_t index,
                                        dann_named_tensor *result);

/* Takes NULL. */
DANN_C_API void dann_results_destroy(dann_results *results);

/*===- Training for whole epochs ------------------------------------------===*/

/* How a learning rate falls; dann/program.hpp has the formulas. */
typedef enum dann_decay {
  DANN_CONSTANT = 0,
  DANN_EXPONENTIAL = 1,
  DANN_STEPWISE = 2,
  DANN_COSINE = 3
} dann_decay;

/* How a session is trained, and where the training stands. With the session's
 * parameters and optimizer state it determines all further steps. */
typedef struct dann_training_state {
  size_t size;  /* in: sizeof(dann_training_state) */
  int64_t seed; /* of the order of the samples, and of random layers */
  int64_t batch_size;
  double learning_rate;
  int64_t sample_count;       /* in an epoch; 0 before the first step */
  int64_t validation_samples; /* held out by the caller; kept for it */
  int64_t epoch;              /* epochs completed */
  int64_t position;           /* samples of the next epoch already seen */
  double loss_sum;            /* of those samples */
  dann_decay decay;           /* of the learning rate */
  double decay_factor;        /* in (0, 1]: for every decay_steps steps */
  int64_t decay_steps;        /* positive */
  double decay_minimum;       /* in [0, 1]: what a cosine ends at */
  int64_t warmup;             /* steps in which the rate rises */
} dann_training_state;

/* The beginning of a training with batch size, learning rate and schedule of
 * the program, and the seed 0. To be trained from; the caller may change it. */
DANN_C_API dann_error *
dann_program_get_training_defaults(const dann_program *program,
                                   dann_training_state *state);

/* What is known after a step. */
typedef struct dann_training_progress {
  size_t size;   /* of what the library fills */
  int64_t epoch; /* the step's, counted from 1 */
  int64_t step;  /* how many since the first epoch began */
  int64_t steps_per_epoch;
  double loss; /* mean over the samples of the epoch, each at its own step */
  double learning_rate; /* of the next step */
  int32_t epoch_done;   /* not 0: this was the last step of its epoch */
} dann_training_progress;

typedef struct dann_training_options {
  size_t size; /* sizeof(dann_training_options) */
  /* How many epochs in total, those that the state has completed included; 0
   * for the program's default. */
  int64_t epochs;
  /* Called after every step, on the caller's thread, if not NULL. It may use
   * the session. If it returns anything but 0, the training ends there. */
  int32_t (*progress)(void *context, const dann_training_progress *progress);
  void *context; /* handed to `progress` */
  /* Where to save after every epoch, and when `progress` ends the training;
   * NULL: nowhere. */
  const char *checkpoint;
  int64_t checkpoint_every; /* save after every so many steps too; 0: no */
  /* How many checkpoints to keep, those before the last one with .1, .2, ...
   * appended to their names; 0 stands for 1. */
  int64_t keep;
} dann_training_options;

/* Samples to train on, by numbers. */
typedef struct dann_batch_source {
  size_t size;          /* sizeof(dann_batch_source) */
  int64_t sample_count; /* in an epoch */
  /* Writes the samples of those numbers to `x`, one after the other in the
   * program's element type, and their labels to `y`. Called once a step on the
   * caller's thread; the values are checked. Anything but 0 ends the training
   * with DANN_INVALID_DATA. */
  int32_t (*read)(void *context, const int64_t *indices, int64_t count, void *x,
                  int64_t *y);
  void *context; /* handed to `read` */
} dann_batch_source;

/* Trains on shuffled minibatches of the samples x [samples, ...input shape]
 * with the labels y [samples] until `options->epochs` are completed;
 * `finished`, which may be NULL, then receives 1; or until `options->progress`
 * says so, then 0. `state` says where to begin, and then always where the
 * training stands. `options` may be NULL. Unsigned bytes in x are mapped from 0
 * ... 255 onto the program's input range.
 *
 * DANN_INVALID_ARGUMENT before the first step for what is wrong with x, y,
 * state or options; DANN_DIVERGED if a loss or, in a checkpoint, a parameter is
 * not finite; DANN_INPUT_OUTPUT if a checkpoint cannot be saved. The session
 * keeps the steps done until then. */
DANN_C_API dann_error *
dann_session_train(dann_session *session, const dann_tensor *x,
                   const dann_tensor *y, dann_training_state *state,
                   const dann_training_options *options, int32_t *finished);

/* The same on the samples of `source`. */
DANN_C_API dann_error *
dann_session_train_from(dann_session *session, const dann_batch_source *source,
                        dann_training_state *state,
                        const dann_training_options *options,
                        int32_t *finished);

/* Saves and loads parameters, optimizer state and training state, all or
 * nothing. DANN_INVALID_DATA if a file is damaged, DANN_INCOMPATIBLE if it is a
 * checkpoint of another model or holds no training state, DANN_DIVERGED if a
 * value to save is not finite, DANN_INPUT_OUTPUT if the file cannot be read or
 * written, DANN_INVALID_ARGUMENT for a state that is impossible or a parameter
 * without a value. After an error of loading, the session and `state` are as
 * before. */
DANN_C_API dann_error *
dann_session_save_checkpoint(const dann_session *session, const char *path,
                             const dann_training_state *state);
DANN_C_API dann_error *dann_session_load_checkpoint(dann_session *session,
                                                    const char *path,
                                                    dann_training_state *state);

/*===- Export -------------------------------------------------------------===*/

typedef struct dann_onnx_options {
  size_t size; /* sizeof(dann_onnx_options) */
  /* Not 0: E/I layers in operators of ONNX, instead of nodes of the domain
   * ai.dann with a function each. */
  int32_t plain_operators;
} dann_onnx_options;

/* Writes the network with the session's parameters as an ONNX model. `options`
 * may be NULL. The file appears under its name complete and on disk, or not at
 * all. DANN_INCOMPATIBLE if the program holds no ONNX model, or it would exceed
 * the 2 GB of ONNX's format; DANN_INPUT_OUTPUT if it cannot be written;
 * DANN_INVALID_ARGUMENT if a parameter has no value yet. */
DANN_C_API dann_error *
dann_session_export_onnx(const dann_session *session, const char *path,
                         const dann_onnx_options *options);

#ifdef __cplusplus
}
#endif

#endif /* DANN_DANN_H */
