// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * What the emulated machine lacks and a board has: a cpufreq policy and a thermal zone, in the
 * kernel's own frameworks. What they tell is set by parameters; nothing gets faster or warmer.
 */
#include <linux/cpufreq.h>
#include <linux/module.h>
#include <linux/thermal.h>

#define FASTEST_KHZ 1800000

static int temp = 45000;
module_param(temp, int, 0644);
MODULE_PARM_DESC(temp, "of the zone, in thousandths of a degree Celsius");

static unsigned int throttle_khz;
module_param(throttle_khz, uint, 0644);
MODULE_PARM_DESC(throttle_khz, "frequency that is told instead of the one set; 0 for none");

/* RK3399, its Cortex-A72 (rk3399-opp.dtsi). */
static struct cpufreq_frequency_table steps[] = {
	{ .frequency = 408000 },  { .frequency = 600000 },  { .frequency = 816000 },
	{ .frequency = 1008000 }, { .frequency = 1200000 }, { .frequency = 1416000 },
	{ .frequency = 1608000 }, { .frequency = FASTEST_KHZ },
	{ .frequency = CPUFREQ_TABLE_END },
};

/* All cores share one policy. */
static unsigned int frequency_khz = FASTEST_KHZ;

static unsigned int get_frequency(unsigned int cpu)
{
	return throttle_khz ? throttle_khz : frequency_khz;
}

static int set_frequency(struct cpufreq_policy *policy, unsigned int index)
{
	frequency_khz = steps[index].frequency;
	return 0;
}

static int init_policy(struct cpufreq_policy *policy)
{
	cpumask_copy(policy->cpus, cpu_possible_mask);
	policy->freq_table = steps;
	policy->cpuinfo.transition_latency = CPUFREQ_ETERNAL;
	policy->cur = frequency_khz;
	return 0;
}

static struct cpufreq_driver driver = {
	.name = "fakeboard",
	.flags = CPUFREQ_NEED_INITIAL_FREQ_CHECK,
	.init = init_policy,
	.verify = cpufreq_generic_frequency_table_verify,
	.target_index = set_frequency,
	.get = get_frequency,
	.attr = cpufreq_generic_attr,
};

static int get_temperature(struct thermal_zone_device *zone, int *value)
{
	*value = temp;
	return 0;
}

static struct thermal_zone_device_ops operations = { .get_temp = get_temperature };
static struct thermal_zone_device *zone;

static int __init begin(void)
{
	int fault = cpufreq_register_driver(&driver);

	if (fault)
		return fault;
	zone = thermal_zone_device_register("cpu-thermal", 0, 0, NULL, &operations, NULL, 0, 0);
	if (IS_ERR(zone)) {
		cpufreq_unregister_driver(&driver);
		return PTR_ERR(zone);
	}
	return thermal_zone_device_enable(zone);
}

static void __exit end(void)
{
	thermal_zone_device_unregister(zone);
	cpufreq_unregister_driver(&driver);
}

module_init(begin);
module_exit(end);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("cpufreq policy and thermal zone of an emulated board");
