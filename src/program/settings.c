/* SPDX-License-Identifier: Apache-2.0 */
#include "program/settings.h"

const char *const log_level_words[] = {"debug", "info", "warn", "error", NULL};
const char *const log_format_words[] = {"logfmt", "json", NULL};

static const struct config_rows process_rows = CONFIG_ROWS(PROCESS_KEYS, struct process_settings);
static const struct config_rows log_rows = CONFIG_ROWS(LOG_KEYS, struct log_settings);

static int settings_check_inputs(const struct config_check *check, void *settings)
{
    struct settings *all = settings;

    all->has_default_input = config_line(check, "inputs[0]") == 0 &&
                             !config_is_from_flag(check, "inputs");
    return input_settings_check(check, all->inputs, all->input_count);
}

static int settings_check_outputs(const struct config_check *check, void *settings)
{
    struct settings *all = settings;

    return output_settings_check(check, all->outputs, all->output_count, all->inputs,
                                 all->input_count);
}

static int settings_check_archive(const struct config_check *check, void *settings)
{
    const struct settings *all = settings;

    return archive_settings_check(check, &all->archive, &all->privacy);
}

/* A detector's capacity is that of all, or what it needs. */
static int settings_check_detectors(const struct config_check *check, void *settings)
{
    struct settings *all = settings;

    (void)check;
    for (unsigned i = 0; i < DETECTOR_COUNT; i++) {
        size_t most = detector_at(i)->suspects_max;
        all->detectors.detectors[i].capacity = most > 0 && most < all->detection.capacity
                                                   ? most
                                                   : all->detection.capacity;
    }
    return 0;
}

static int settings_check_block_lists(const struct config_check *check, void *settings)
{
    struct settings *all = settings;

    return block_list_settings_check(check, all->block_lists, all->block_list_count);
}

#define AT(member) .offset = offsetof(struct settings, member)

#define LIST_AT(member, count, max_)                                                               \
    AT(member), .count_offset = offsetof(struct settings, count), .max = (max_),                   \
                .entry_size = sizeof(((struct settings *)NULL)->member[0])

/* clang-format off */
static const struct config_section sections[] = {
    {.title = "Inputs", .rows = &input_rows, .list = "inputs",
     LIST_AT(inputs, input_count, INPUTS_MAX), .check = settings_check_inputs, .live = true,
     .help = "The sockets that DNS servers connect to. Each input has a name and either unix or tcp. Without any "
             "input there is one, as shown here: unix, at /run/dnstap_exporter/dnstap.sock. A reload adds, changes and "
             "removes inputs: connections of an input that is gone, or has another address or sampling, are closed, and all "
             "others go on."},
    {.title = "Outputs", .rows = &output_rows, .list = "outputs",
     LIST_AT(outputs, output_count, OUTPUTS_MAX), .check = settings_check_outputs,
     .help = "Further receivers of the inputs' frames, for servers that can send to one place only. Each "
             "output has a name and either unix or tcp. Its receiver gets the frames unchanged, and is "
             "connected to again after it was away. By default there is no output."},
    {.title = "Archive", .rows = &archive_rows, AT(archive), .check = settings_check_archive,
     .help = "A folder of dnstap files (Frame Streams in zstd) with the inputs' frames, unchanged, that other programs and "
             "`dnstap_exporter print` read. They go to the disk every five seconds. By default there is no archive."},
    {.title = "Threads", .rows = &worker_rows, AT(ingest)},
    {.title = "Web", .rows = &web_rows, AT(web)},
    {.title = "Limits", .rows = &label_limit_rows, AT(limits)},
    {.rows = &connection_rows, AT(ingest)},
    {.title = "Matching", .rows = &matching_rows, AT(limits),
     .help = "Queries wait for their responses here, if a server does not write both times into the "
             "response."},
    {.title = "Answers", .rows = &answer_rows, AT(limits)},
    {.title = "Histograms", .rows = &exposition_rows, AT(exposition)},
    {.title = "Top lists", .rows = &window_rows, AT(top)},
    {.rows = &top_rows, AT(top),
     .help = "Lists of the clients, query names, registered domains and upstream servers with the "
             "largest counts, and how many different clients, names and domains there were."},
    {.rows = &suffix_list_rows, AT(suffixes)},
    {.title = "Privacy", .rows = &client_privacy_rows, AT(privacy),
     .help = "How clients are known: in the lists, to the detectors and in the log."},
#define DETECTOR_SECTION(name) {.rows = &name##_rows, AT(detectors.detectors[DETECTOR_##name])},
    {.title = "Detection", .rows = &detection_rows, AT(detection), .check = settings_check_detectors,
     .help = "Patterns in what clients ask for. deploy/detection.md says what each detector finds."},
    DETECTORS(DETECTOR_SECTION)
    {.rows = &block_list_limit_rows, AT(detection)},
    {.rows = &block_list_file_rows, .list = "detection.block_list.lists",
     LIST_AT(block_lists, block_list_count, BLOCK_LISTS_MAX), .check = settings_check_block_lists,
     .help = "Lists of names that no client should ask for, such as those of malware. A file has a name on a line, "
             "lines of a hosts file, records of a response policy zone (RPZ), or lines ||name^. By default there is none."},
    {.rows = &allowed_name_rows, AT(suffixes)},
    {.title = "Sandbox", .rows = &process_rows, AT(process)},
    {.title = "Log", .rows = &log_rows, AT(log)},
};
/* clang-format on */

const struct config_schema settings_schema = {
    .sections = sections,
    .count = sizeof sections / sizeof sections[0],
    .size = sizeof(struct settings),
};
