# %% [markdown]
# # Lab 04 · Generative models, and what a step costs
#
# In 2020 a diffusion model needed about 20 hours to draw 50,000 images of 32 × 32 pixels on a 2080 Ti. A generator that draws in one pass needed
# less than a minute (Song, Meng and Ermon, in their introduction). The difference is above all how often the network runs: a diffusion model walks
# from noise to an image in up to a thousand steps, and **every step is a pass of the network.**
#
# Here you build both kinds on digits of 8 × 8 pixels: a variational autoencoder (VAE), which draws in one pass, and a diffusion model, which draws
# in as many as you let it. Then you ask the system engineer's question: what does a step buy, and what does it cost?
#
# **After it you can**
# 1. train through a random number, and say what the evidence lower bound measures;
# 2. add noise in one jump in place of 250 steps, and prove that it is the same;
# 3. write the samplers DDPM and DDIM as one function, and run requests of different lengths in one batch;
# 4. count what an image costs: passes, FLOPs, bytes of weights read again at each step, bytes of a U-Net's skips.
#
# | | |
# |---|---|
# | Time | about 8.5 hours: core 7 h, stretch 1.5 h (`joined_conv` in 5, and the diagnosis in 6) |
# | Needs | lab00, and lab02's convolution. No probability beyond the normal distribution |
# | Machine | any laptop, no GPU. No cell takes more than 5 s. The models come trained, with the script that trained them (`lablib.train`) |
# | Points | 100 |
#
# **In every exercise** nothing is drawn at random inside your function: noise is an argument. So a result can be compared exactly. Arguments stay as
# they were. Arrays of images have the shape (B, 1, H, W): B images of one channel, H rows, W columns. In grading there is no `lablib.models.diffusion` and
# no `lablib.models.sampling`: part of what they do is yours to write.

# %% setup tags=["setup"] withhold=["lablib.models.diffusion", "lablib.models.sampling"]
import lablib

lablib.require("0.1")

from lablib import device  # isort: skip  (it also says where the lab runs)

import math
from itertools import pairwise

import torch
from torch.nn import functional as F

from lablib import check, viz

device.seed(0)
torch.backends.cudnn.allow_tf32 = False  # on a GPU, convolutions too are to keep 24 bits
torch.set_num_threads(1)  # our arrays are small: a second core would mostly wait

# %% [markdown]
# ## 1 · A code with noise in it
#
# An **encoder** makes a short code of an image; a **decoder** makes an image of a code. To draw a new digit, we want to pick a code and decode it. But
# which codes are any good? If the encoder may put each digit where it likes, most codes belong to none.
#
# A VAE answers in two moves. The encoder gives no point but a small cloud: a mean μ and a deviation σ for each number of the code. And all clouds together
# shall look like one standard normal distribution, the **prior**. Then a code drawn from the prior lies in some cloud, or between two.
#
# Move the ring. What lies between a 3 and an 8? Is there a place without any digit?

# %% look_plane
from lablib.data.digits import digits
from lablib.models.vae import VAE
from lablib.models.weights import load

vae, data = load(VAE(), "vae"), digits()
ticks = torch.linspace(-4, 4, 41)
plane = torch.stack([ticks.expand(41, 41), ticks.flip(0)[:, None].expand(41, 41)], dim=-1)
with torch.no_grad():
    decoded = vae.decode(plane.reshape(-1, 2)).sigmoid().reshape(41, 41, 8, 8)
    test_mean, test_log_variance = vae.encode(data.test_x)
viz.code_plane(decoded, test_mean, data.test_y.tolist(), reach=4)

# %% [markdown]
# To train it we need the gradient of a loss with respect to μ and σ, through a *random* code. Take the smallest case: one number, the loss z², and
# z drawn from N(μ, σ²). We want d/dμ of its mean. The mean is μ² + σ², so the answer must be 2μ.
#
# * **Way 1** treats the draw as a black box: weigh each loss with how μ changes the probability of that draw, z² · (z − μ) / σ².
# * **Way 2** draws ε from N(0, 1), which depends on nothing, and *computes* z = μ + σ · ε. Now z is a formula, and autograd goes through it: 2z.
#
# Both are right on average. How much does a single draw scatter?

# %% look_two_gradients
mu, sigma = 1.0, 0.5
draws = mu + sigma * torch.randn(100_000)
for name, gradient in {"way 1": draws**2 * (draws - mu) / sigma**2, "way 2": 2 * draws}.items():
    print(f"{name}: mean {gradient.mean():5.2f} (expected {2 * mu:.2f}), standard deviation {gradient.std():.2f}")

# %% [markdown]
# The mean of n draws scatters √n times less than one. Way 1 scatters several times as much here, so it needs that factor squared as many draws for a gradient as good.
# **Way 2, the reparameterisation, is why a VAE trains with one draw an image.**
#
# The encoder gives log σ² and not σ: any number is allowed then, and σ = exp(½ log σ²) is never negative.
#
# **Your task.** `draw_codes(mean, log_variance, noise)` returns K codes for each of B images, shape (K, B, Z).
# * `mean`, `log_variance`: float32, (B, Z). `noise`: standard normal, (K, B, Z).
# * Gradients reach `mean` and `log_variance`.
# * The deviation is worked out once for each image, not once for each draw: beside two tensors of (K, B, Z), allocate no more than three of (B, Z).
#
# <details><summary>Hint 1: what is multiplied</summary>
#
# ε has variance 1. By what do you multiply it for a variance of exp(`log_variance`)?
# </details>
# <details><summary>Hint 2: K codes</summary>
#
# Shapes line up from the last axis: (B, Z) meets (K, B, Z) without your help.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# mean + exp(½ · log_variance) · noise, in this order of work: first the exponential, then broadcasting.
# </details>


# %% draw_codes tags=["solution"]
def draw_codes(mean, log_variance, noise):
    ### BEGIN SOLUTION
    return mean + (0.5 * log_variance).exp() * noise
    ### END SOLUTION


# %% look_draw_codes
cloud = draw_codes(test_mean[:2], test_log_variance[:2], torch.randn(1000, 2, 2))
for image, label in enumerate(data.test_y[:2].tolist()):
    mean_text, spread = (", ".join(f"{v:.3f}" for v in row) for row in (test_mean[image], cloud[:, image].std(dim=0)))
    print(f"a {label}: mean ({mean_text}); σ of 1000 codes ({spread})")

# %% test_draw_codes tags=["test", "core"] points=10 hours=0.5 covers=["vaes", "lo1"]
mean, log_variance = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.0, math.log(9.0)]])
noise = torch.tensor([[[1.0, 1.0]], [[-1.0, 0.5]]])
expected = torch.tensor([[[2.0, 1.0]], [[0.0, -0.5]]])
check.close(draw_codes(mean, log_variance, noise), expected, name="draw_codes of one image")
K, B, Z = 16, 33, 2
mean, log_variance, noise = check.rng.normal(B, Z), check.rng.normal(B, Z), check.rng.normal(K, B, Z)
most = 2 * noise.nbytes + 3 * mean.nbytes
_ = check.cost(draw_codes, mean, log_variance, noise, allocated=(noise.nbytes, most))
### BEGIN HIDDEN TESTS
mean, log_variance = check.rng.normal(9, 4).requires_grad_(), check.rng.normal(9, 4).requires_grad_()
noise, weights = check.rng.normal(6, 9, 4), check.rng.normal(6, 9, 4)
(draw_codes(mean, log_variance, noise) * weights).sum().backward()
check.close(mean.grad, weights.sum(dim=0), name="the gradient of mean")
expected = (weights * noise).sum(dim=0) * 0.5 * (0.5 * log_variance.detach()).exp()
check.close(log_variance.grad, expected, rtol=1e-4, name="the gradient of log_variance")
### END HIDDEN TESTS

# %% [markdown]
# ### What a cloud costs
#
# How far is a cloud from the prior? The **Kullback-Leibler divergence** KL(q ‖ p) is the mean of log q(z) − log p(z) over z drawn from q: how much longer, in nats (1 nat is 1.44 bits), codes
# get if they are written for p while they come from q. Zero if the two agree, never negative.
#
# For one number, with q = N(μ, σ²) and p = N(m, s²):
#
# $$\mathrm{KL} = \tfrac12\left(\frac{\sigma^2}{s^2} + \frac{(\mu - m)^2}{s^2} - 1 - \log\frac{\sigma^2}{s^2}\right)$$
#
# By hand, for p = N(0, 1): the cloud N(1, 1) costs ½ nat. The cloud N(0, 0.01), nearly a point, costs ½(0.01 − 1 + 4.6) = 1.8 nats. Both a shift and
# certainty are paid for. In several dimensions that are independent, the costs add up.
#
# **Your task.** Two functions, for clouds with μ and log σ² of shape (B, Z) and a prior with m and log s² of shape (Z,), all float32.
# * `gaussian_kl(mean, log_variance, prior_mean, prior_log_variance)`: the closed form, in nats, shape (B,). It holds for log variances from −150 to 150, where a variance alone does not fit in float32, as long as the result does.
# * `kl_of_draws(mean, log_variance, prior_mean, prior_log_variance, noise)`: for each draw z = μ + σ · ε, with noise ε of shape (K, B, Z), the number log q(z) − log p(z). Shape (K, B). Its mean over many draws must approach the closed form. Where σ is 10⁻⁸, z rounds to μ in float32; log q(z) must come out right even so.
#
# <details><summary>Hint 1: never divide two exponentials</summary>
#
# exp(150) is infinite in float32, and infinity times 0 is NaN. What is exp(a) / exp(b), in one exponential? And (μ − m) / s, before it is squared?
# </details>
# <details><summary>Hint 2: the density</summary>
#
# log N(z; μ, σ²) = −½ (log 2π + log σ² + (z − μ)² / σ²). Under q, the last term is known without z, and without dividing: what is (z − μ) / σ?
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# log q − log p = ½ (log s² − log σ² − ε² + (z − m)² / s²), summed over the last axis; log 2π is in both.
# </details>


# %% gaussian_kl tags=["solution"]
def gaussian_kl(mean, log_variance, prior_mean, prior_log_variance):
    ### BEGIN SOLUTION
    log_ratio = log_variance - prior_log_variance
    shift = (mean - prior_mean) * (-0.5 * prior_log_variance).exp()
    return 0.5 * (log_ratio.exp() + shift.square() - 1 - log_ratio).sum(dim=1)
    ### END SOLUTION


def kl_of_draws(mean, log_variance, prior_mean, prior_log_variance, noise):
    ### BEGIN SOLUTION
    z = mean + (0.5 * log_variance).exp() * noise
    shift = (z - prior_mean) * (-0.5 * prior_log_variance).exp()
    return 0.5 * (prior_log_variance - log_variance - noise.square() + shift.square()).sum(dim=2)
    ### END SOLUTION


# %% look_kl
cloud, prior = (torch.tensor([[1.0]]), torch.tensor([[-2.0]])), (torch.zeros(1), torch.zeros(1))
print(f"closed form: {gaussian_kl(*cloud, *prior).item():.4f} nats")
for K in (1, 10, 100, 10_000):
    estimates = kl_of_draws(*cloud, *prior, torch.randn(K, 1, 1))
    error = f" ± {estimates.std().item() / K**0.5:.4f}" if K > 1 else ""
    print(f"{K:6} draws:  {estimates.mean().item():.4f}{error}")

# %% test_gaussian_kl tags=["test", "core"] points=10 hours=1.0 covers=["vaes", "lo1"]
one, zero, two = torch.ones(1, 2), torch.zeros(2), torch.full((1, 2), math.log(4.0))
check.close(gaussian_kl(one, 0 * one, zero, zero), torch.tensor([1.0]), name="KL of N(1, 1), twice, from N(0, 1)")
known = torch.tensor([2 * 0.5 * (4 - 1 - math.log(4.0))])
check.close(gaussian_kl(0 * one, two, zero, zero), known, name="KL of N(0, 4), twice, from N(0, 1)")
noise = torch.tensor([[[1.0, -1.0]], [[0.0, 0.0]]])
known = torch.tensor([[3.0 - math.log(4.0)], [-math.log(4.0)]])
check.close(kl_of_draws(0 * one, two, zero, zero, noise), known, name="two draws of N(0, 4), twice")
### BEGIN HIDDEN TESTS
mean, log_variance = check.rng.normal(7, 3), check.rng.normal(7, 3)
prior_mean, prior_log_variance = check.rng.normal(3), check.rng.normal(3)
p = torch.distributions.Normal(prior_mean.double(), (0.5 * prior_log_variance.double()).exp())
noise = check.rng.normal(11, 7, 3)
for smaller in (0.0, 36.0):
    q = torch.distributions.Normal(mean.double(), (0.5 * (log_variance.double() - smaller)).exp())
    exact = torch.distributions.kl_divergence(q, p).sum(dim=1).float()
    found = gaussian_kl(mean, log_variance - smaller, prior_mean, prior_log_variance)
    check.close(found, exact, rtol=1e-4, name=f"KL at log variances about {-smaller:g}")
    z = mean.double() + q.scale * noise.double()
    exact = (q.log_prob(z) - p.log_prob(z)).sum(dim=2).float()
    found = kl_of_draws(mean, log_variance - smaller, prior_mean, prior_log_variance, noise)
    check.close(found, exact, rtol=1e-4, name=f"draws at log variances about {-smaller:g}")
for level in (-120.0, 120.0):
    spread = check.rng.uniform(4, 3, low=-2.0, high=2.0)
    zeros = torch.zeros_like(spread)
    found = gaussian_kl(zeros, level + spread, zeros[0], zeros[0] + level)
    exact = 0.5 * (spread.exp() - 1 - spread).sum(dim=1)
    check.close(found, exact, rtol=1e-3, name=f"KL at log variances about {level:g}")
### END HIDDEN TESTS

# %% [markdown]
# ## 2 · The bound that a VAE climbs
#
# How good is a model of images? Ask for the probability that it gives to images that it has not seen, log p(x). For a VAE that is an integral over all codes, out of
# reach when a code has more than a few numbers. But a lower bound is easy, the **evidence lower bound** (ELBO):
#
# log p(x) ≥ mean of log p(x | z) over codes z of the cloud − KL(cloud ‖ prior)
#
# Read it as a bill for sending images: the first term says how well the decoder tells the image once it has the code, the second what it costs to send the code.
#
# A pixel here counts the black dots in a square of 16, so p(x | z) is binomial with 16 trials, and `log_binomial(images, logits)` gives its logarithm. It is given, and so is the closed form for the standard normal prior:

# %% given_bound tags=["setup"]
from lablib.models.vae import kl_to_standard_normal, log_binomial

# %% [markdown]
# One draw of the code gives the bound with some noise; the mean over K draws with less. On hardware the K draws should be *one* batch of K · B codes: a pass reads all weights of the
# decoder, whether it decodes one code or a thousand. So count passes, not draws.
#
# **Your task.** `elbo(encode, decode, x, noise)`, shape (B,), in nats: for each image the mean over K draws of log p(x | z), minus the KL in closed form.
# * `encode(x)` gives mean and log variance, both (B, Z). `decode(codes)` takes codes (N, Z) and gives logits (N, 1, H, W), for any N.
# * `x`: (B, 1, H, W). `noise`: (K, B, Z).
# * **One call of `encode`, with the B images; one call of `decode`, with all K · B codes.** Draw k of image b is row k · B + b.
#
# <details><summary>Hint 1: which image belongs to which row?</summary>
#
# Rows 0 to B − 1 are draw 0 of all images, the next B rows draw 1. `log_binomial` wants an image for each row of logits.
# </details>
# <details><summary>Hint 2: the images, K times</summary>
#
# `x.repeat(K, 1, 1, 1)` is the images one after another, K times over. (`repeat_interleave` would put each image K times in a row.)
# </details>
# <details><summary>Hint 3: back to draws</summary>
#
# Its result has shape (K · B,). Reshape to (K, B), take the mean over K, and subtract `kl_to_standard_normal(mean, log_variance)`.
# </details>


# %% elbo tags=["solution"]
def elbo(encode, decode, x, noise):
    ### BEGIN SOLUTION
    K, B, Z = noise.shape
    mean, log_variance = encode(x)
    codes = mean + (0.5 * log_variance).exp() * noise
    logits = decode(codes.reshape(K * B, Z))
    told = log_binomial(x.repeat(K, 1, 1, 1), logits).reshape(K, B).mean(dim=0)
    return told - kl_to_standard_normal(mean, log_variance)
    ### END SOLUTION


# %% [markdown]
# What does the trained model reach on the 360 digits that it has not seen? An image has 64 pixels of 17 values each: whoever knows nothing pays 64 · log 17 = 181 nats.
# The control: give the decoder the code of *another* image. If the code told nothing, that would not matter.

# %% look_elbo
with torch.no_grad():
    noise = torch.randn(20, len(data.test_x), 2)
    bound = elbo(vae.encode, vae.decode, data.test_x, noise)
    other = elbo(lambda x: vae.encode(x.roll(1, dims=0)), vae.decode, data.test_x, noise)
    price = kl_to_standard_normal(test_mean, test_log_variance)
print(f"bound on log p: {bound.mean():.1f} nats an image, of which {price.mean():.1f} are the code's price")
print(f"with another image's code: {other.mean():.1f} nats; knowing nothing: {-64 * math.log(17):.1f} nats")


# %% test_elbo tags=["test", "core"] points=10 hours=1.0 covers=["vaes", "lo1"]
calls = []


def blind_encode(images):
    calls.append(("encode", len(images)))
    return images.new_ones(len(images), 2), images.new_zeros(len(images), 2)


def blind_decode(codes):
    calls.append(("decode", len(codes)))
    return codes.new_zeros(len(codes), 1, 3, 4)


x = check.rng.integers(0, 17, 5, 1, 3, 4) / 16
found = elbo(blind_encode, blind_decode, x, check.rng.normal(3, 5, 2))
check.equal(calls, [("encode", 5), ("decode", 15)], name="your calls of encode and decode")
# These codes tell nothing, and cost half a nat for each of two numbers.
check.close(found, log_binomial(x, torch.zeros_like(x)) - 1, name="the bound of a model that tells nothing")


### BEGIN HIDDEN TESTS
def judge_elbo(K, B, Z):
    counts = []
    to_mean, to_log_variance = 0.3 * check.rng.normal(12, Z), 0.3 * check.rng.normal(12, Z)
    to_logits, x = check.rng.normal(Z, 12), check.rng.integers(0, 17, B, 1, 3, 4) / 16
    noise = check.rng.normal(K, B, Z)

    def encode(images):
        counts.append(len(images))
        return images.flatten(1) @ to_mean, images.flatten(1) @ to_log_variance

    def decode(codes):
        counts.append(len(codes))
        return (codes @ to_logits).reshape(-1, 1, 3, 4)

    found = elbo(encode, decode, x, noise)
    check.equal(counts, [B, K * B], name="images and codes of your calls")
    mean, log_variance = x.flatten(1) @ to_mean, x.flatten(1) @ to_log_variance
    bound = -kl_to_standard_normal(mean, log_variance)
    for draw in noise:
        logits = (mean + (0.5 * log_variance).exp() * draw) @ to_logits
        bound = bound + log_binomial(x, logits.reshape(x.shape)) / K
    check.close(found, bound, rtol=1e-4, name=f"elbo of {B} images with {K} draws")


judge_elbo(1, 4, 2)
judge_elbo(5, 3, 4)
### END HIDDEN TESTS

# %% [markdown]
# ## 3 · Noise, at once and step by step
#
# A diffusion model needs no encoder. It destroys the image in T = 250 small steps, each of which shrinks it a little and adds a little noise:
#
# $$x_t = \sqrt{1 - \beta_t}\; x_{t-1} + \sqrt{\beta_t}\; \varepsilon_t, \qquad \varepsilon_t \sim N(0, 1)$$
#
# The two weights squared add up to 1, so that an image of variance 1 keeps it. Step through it: from which t on could *you* not tell the digit?

# %% look_noise
from lablib.models.diffusion import UNet, add_noise, signal_levels

levels = signal_levels()
clean = 2 * data.test_x[:8] - 1  # white is -1, black is 1
stops = [0, 10, 25, 50, 75, 100, 150, 200, 250]
noise = torch.randn(clean.shape)
noisy = torch.stack([add_noise(clean, levels[[t] * 8], noise)[:, 0] for t in stops])
viz.image_steps(
    (noisy + 1) / 2, [str(t) for t in stops], title="When is the digit gone?", prefix="t = ",
    notes=[f"ᾱ = {levels[t]:.4f}: this share of the variance is still the image's." for t in stops],
)  # fmt: skip

# %% [markdown]
# Training picks a random t for each image. Must it walk all steps to get there? Do two steps by hand, on one pixel of value 1, with β = 0.19 and then 0.36. The weights are
# √0.81 = 0.9 and √0.64 = 0.8 for the signal, √0.19 = 0.44 and √0.36 = 0.6 for the noise:
#
# x₂ = 0.8 (0.9 · 1 + 0.44 ε₁) + 0.6 ε₂ = **0.72** + 0.35 ε₁ + 0.6 ε₂
#
# The sum of two independent normal numbers is normal, and variances add: 0.35² + 0.6² = 0.48. So x₂ = 0.72 + √0.48 · ε with a single ε, and 0.72² + 0.48 = 1. With
# $\bar\alpha_t$ = (1 − β₁) ··· (1 − $\beta_t$), the share of the variance that is still signal, **any two steps s ≤ t are one jump apart**:
#
# $$x_t = \sqrt{\bar\alpha_t / \bar\alpha_s}\; x_s + \sqrt{1 - \bar\alpha_t / \bar\alpha_s}\; \varepsilon$$
#
# **Your task.** `jump(x, noise, levels, s, t)` takes images at steps s to steps t, each image its own.
# * `x`, `noise`: float32, (B, 1, H, W). `levels`: ᾱ₀ = 1 to $\bar\alpha_T$, float64, (T + 1,). `s`, `t`: int64, (B,), s ≤ t. Where s = t, the image stays.
# * The quotient and 1 − quotient are taken in float64: for neighbours the quotient is 0.9996 or so, and in float32 the difference to 1 keeps four digits. The images themselves stay float32: allocate at most three times the bytes of `x`, and some numbers for each image.
#
# <details><summary>Hint 1: one number for each image</summary>
#
# `levels[t]` with a tensor t of shape (B,) gives shape (B,). To meet (B, 1, H, W) it must become (B, 1, 1, 1).
# </details>
# <details><summary>Hint 2: float64 only where it is needed</summary>
#
# A float64 weight times a float32 image is a float64 image. Round the weights first: `.to(x.dtype)`.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# `kept = levels[t] / levels[s]`; then the square roots of `kept` and `1 - kept`, rounded, reshaped by `[:, None, None, None]`.
# </details>


# %% jump tags=["solution"]
def jump(x, noise, levels, s, t):
    ### BEGIN SOLUTION
    kept = levels[t] / levels[s]
    signal, added = (part.sqrt().to(x.dtype)[:, None, None, None] for part in (kept, 1 - kept))
    return signal * x + added * noise
    ### END SOLUTION


# %% schedule tags=["setup"]
def random_levels(steps, most=0.05):
    """Levels of a chain whose steps take away between 0.01% and `most` of the variance, float64, (steps + 1,)."""
    betas = check.rng.uniform(steps, low=1e-4, high=most).double()
    return torch.cat([torch.ones(1, dtype=torch.float64, device=betas.device), (1 - betas).cumprod(dim=0)])


# %% test_jump tags=["test", "core"] points=10 hours=0.75 covers=["diffusion", "lo1"]
two_steps = torch.tensor([1.0, 0.81, 0.5184], dtype=torch.float64)  # the example above
x, noise = torch.ones(3, 1, 16, 16), torch.full((3, 1, 16, 16), 2.0)
found = check.cost(
    jump, x, noise, two_steps, torch.tensor([0, 1, 1]), torch.tensor([2, 2, 1]),
    allocated=(x.nbytes, 3 * x.nbytes + 256 * 3),
)  # fmt: skip
expected = torch.tensor([2.107949, 2.0, 1.0])[:, None, None, None].expand(3, 1, 16, 16)
check.close(found, expected, name="a pixel of 1, noise of 2, from 0 to 2, from 1 to 2, and from 1 to 1")
### BEGIN HIDDEN TESTS
first, near = check.rng.integers(0, 30, 6), check.rng.integers(0, 60, 24)
for x, s, t, taken in [
    (check.rng.normal(6, 1, 17, 23), first, first + check.rng.integers(0, 30, 6), 0.05),
    (0 * check.rng.normal(24, 1, 17, 13), near, near + 1, 2e-4),  # noise alone, with small weights
]:
    schedule, noise = random_levels(60, taken), check.rng.normal(*x.shape)
    most = 3 * x.nbytes + 256 * len(x)
    found = check.cost(jump, x, noise, schedule, s, t, allocated=(x.nbytes, most))
    kept = (schedule[t] / schedule[s])[:, None, None, None]
    expected = kept.sqrt() * x.double() + (1 - kept).sqrt() * noise.double()
    check.close(found, expected.float(), name=f"jump of {len(x)} images, each from and to steps of its own")
### END HIDDEN TESTS

# %% [markdown]
# ### Is the jump the chain?
#
# In distribution, yes. Make it exact: the chain draws ε₁ … ε_T. *Which single ε gives the same $x_T$ in one jump?* In the example above it is (0.35 ε₁ + 0.6 ε₂) / √0.48. Early noise counts less: later steps
# have shrunk it.
#
# **Your task.** `merged_noise(noises, levels)` returns that ε, shape (B, 1, H, W), so that `jump(x_0, ε, levels, 0, T)` is where the chain arrives.
# * `noises`: float32, (T, B, 1, H, W), ε₁ first. `levels`: float64, (T + 1,), for 1 ≤ T ≤ 250.
# * Memory: `noises` may be large. Allocate at most four images' worth for each of the B images, however large T is, besides 256 bytes for each step.
#
# <details><summary>Hint 1: one weight a step</summary>
#
# Step s adds noise with weight √(1 − $\bar\alpha_s$ / $\bar\alpha_{s-1}$). By which factor do the steps s + 1 to T shrink it?
# </details>
# <details><summary>Hint 2: check yourself</summary>
#
# The sum of all ε has variance 1 only if the squares of the weights add up to 1.
# </details>
# <details><summary>Hint 3: a weighted sum without a copy</summary>
#
# `torch.tensordot(weights, noises, dims=1)` multiplies and adds in one product; `(weights * noises).sum(0)` makes a second `noises` first.
# </details>


# %% merged_noise tags=["solution"]
def merged_noise(noises, levels):
    ### BEGIN SOLUTION
    added = 1 - levels[1:] / levels[:-1]
    shrunk = levels[-1] / levels[1:]
    weights = (added * shrunk / (1 - levels[-1])).sqrt()
    return torch.tensordot(weights.to(noises.dtype), noises, dims=1)
    ### END SOLUTION


# %% test_merged_noise tags=["test", "core"] points=5 hours=0.5 covers=["diffusion", "lo1"]
two_steps = torch.tensor([1.0, 0.81, 0.5184], dtype=torch.float64)
noises = torch.tensor([1.0, 0.0, 0.0, 1.0]).reshape(2, 2, 1, 1, 1)
found = merged_noise(noises, two_steps)
check.close(found.flatten(), torch.tensor([0.502486, 0.864586]), name="the weights of two steps")
noises = check.rng.normal(50, 4, 1, 9, 9)
bounds_of_memory = (noises[0].nbytes, 4 * noises[0].nbytes + 256 * 50)
found = check.cost(merged_noise, noises, random_levels(50), allocated=bounds_of_memory)
### BEGIN HIDDEN TESTS
for T, B in [(1, 3), (100, 12)]:
    schedule, noises = random_levels(T), check.rng.normal(T, B, 1, 9, 9)
    image = noises[0].nbytes
    found = check.cost(merged_noise, noises, schedule, allocated=(image, 4 * image + 256 * T))
    start = check.rng.normal(B, 1, 9, 9).double()
    x = start
    for step in range(T):
        kept = schedule[step + 1] / schedule[step]
        x = kept.sqrt() * x + (1 - kept).sqrt() * noises[step].double()
    expected = (x - schedule[-1].sqrt() * start) / (1 - schedule[-1]).sqrt()
    check.close(found, expected.float(), name=f"the merged noise of {T} steps")
### END HIDDEN TESTS

# %% [markdown]
# ## 4 · The way back
#
# The network, a U-Net, is given $x_t$ and t, and estimates the noise ε̂ in it. It was trained on nothing else: mean squared error of ε̂, at random t. From ε̂ follows what it takes for the image:
#
# $$\hat x_0 = \frac{x_t - \sqrt{1 - \bar\alpha_t}\;\hat\varepsilon}{\sqrt{\bar\alpha_t}}$$
#
# Look at this estimate at different t, for digits that we made noisy ourselves. Could we simply stop at the first one?

# %% look_estimates
unet = load(UNet(), "diffusion")
stops = [250, 200, 150, 100, 75, 50, 25, 10]
fog, sheets = torch.randn(clean.shape), []
for t in stops:
    x_t = add_noise(clean, levels[[t] * 8], fog)
    with torch.no_grad():
        predicted = unet(x_t, torch.full((8,), t))
    image = (x_t - (1 - levels[t]).sqrt() * predicted) / levels[t].sqrt()
    sheets.append(torch.cat([x_t, image.clamp(-1, 1)])[:, 0])
viz.image_steps(
    (torch.stack(sheets) + 1) / 2, [str(t) for t in stops], title="What does the network take for the image?",
    prefix="t = ", rows=("x_t", "x̂_0"),
)  # fmt: skip

# %% [markdown]
# At t = 250 hardly any signal is left: √$\bar\alpha_t$ = 0.006, and x̂₀ divides whatever error ε̂ has by it. So we believe it only a little. Go to an earlier step s, put noise back to the level that belongs there, and ask again:
#
# $$x_s = \sqrt{\bar\alpha_s}\;\hat x_0 + \sqrt{1 - \bar\alpha_s - \sigma^2}\;\hat\varepsilon + \sigma \varepsilon, \qquad \sigma = \eta\,\sqrt{\frac{1 - \bar\alpha_s}{1 - \bar\alpha_t}}\,\sqrt{1 - \frac{\bar\alpha_t}{\bar\alpha_s}}$$
#
# The noise that is put back is partly the old one, ε̂, and partly fresh, ε; together they have variance 1 − $\bar\alpha_s$, whatever σ is. That one dial η holds two famous samplers.
# * **η = 1** with neighbouring steps is **DDPM**: exactly the distribution of $x_{t-1}$ given $x_t$ and x̂₀, of variance $\tilde\beta_t$.
# * **η = 0** is **DDIM**: nothing is drawn on the way. The image is a function of $x_T$, and steps may be long.
#
# Real samplers do one thing more. x̂₀ may leave [−1, 1], where images live, and far out at large t, where it is divided by a small number. So it is **clipped**. Then ε̂ must be worked out again from $x_t$ and the clipped x̂₀,
# or the two no longer add up to $x_t$.
#
# And serving asks for one more. Requests arrive at different times, so in one batch one image is at t = 250 and the next at t = 40. **Each image has its own levels.**
#
# **Your task.** `step_back(x, predicted, level, next_level, eta=0.0, noise=None, clip=None)` returns $x_s$.
# * `x`, `predicted`: float32, (B, 1, H, W), $x_t$ and ε̂. `level`, `next_level`: $\bar\alpha_t$ and $\bar\alpha_s$, float64, (B,), 0 < $\bar\alpha_t$ < $\bar\alpha_s$ ≤ 1.
# * `eta` from 0 to 1. `noise` is like `x`, or None where `eta` is 0.
# * `clip`: None, or x̂₀ is clamped to ±clip, and ε̂ worked out again.
# * Weights are computed in float64 and rounded to float32 before they meet an image. At most 60 torch operations, views not counted, **however many images there are**: on a GPU each is a launch.
#
# <details><summary>Hint 1: in which order?</summary>
#
# σ first; then x̂₀; then, if asked, clamp it and compute ε̂ again; then the three terms.
# </details>
# <details><summary>Hint 2: ε̂ from x̂₀</summary>
#
# Solve $x_t$ = √$\bar\alpha_t$ x̂₀ + √(1 − $\bar\alpha_t$) ε̂ for ε̂.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# With v = σ², a float64 number for each image: √$\bar\alpha_s$ · x̂₀ + √(1 − $\bar\alpha_s$ − v) · ε̂ + √v · ε. Round each root to float32 and give it the shape (B, 1, 1, 1).
# </details>


# %% step_back tags=["solution"]
def step_back(x, predicted, level, next_level, eta=0.0, noise=None, clip=None):
    ### BEGIN SOLUTION
    def weight(squared):
        return squared.sqrt().to(x.dtype)[:, None, None, None]

    variance = eta**2 * (1 - next_level) / (1 - level) * (1 - level / next_level)
    image = (x - weight(1 - level) * predicted) / weight(level)
    if clip is not None:
        image = image.clamp(-clip, clip)
        predicted = (x - weight(level) * image) / weight(1 - level)
    y = weight(next_level) * image + weight(1 - next_level - variance) * predicted
    return y if noise is None else y + weight(variance) * noise
    ### END SOLUTION


# %% test_step_back tags=["test", "core"] points=15 hours=1.5 covers=["diffusion", "lo3"]
def judge_number(expected, **options):
    """A pixel of 1 with predicted noise of 0.5, from level 0.25 to 0.64; fresh noise, if any, is 1."""
    x = torch.ones(2, 1, 3, 3)
    level, next_level = (torch.full((2,), value, dtype=torch.float64) for value in (0.25, 0.64))
    found = step_back(x, 0.5 * x, level, next_level, **options)
    check.close(found, expected * x, name=f"a pixel of 1 from level 0.25 to 0.64 with {sorted(options)}")


judge_number(1.2071797)
judge_number(1.5779163, eta=1.0, noise=torch.ones(2, 1, 3, 3))
judge_number(1.1464102, clip=1.0)
### BEGIN HIDDEN TESTS
for B, eta, clip, last in [
    (64, 0.4, None, False), (5, 0.0, 1.0, False), (5, 0.7, 0.8, False), (4, 0.6, None, True),
]:  # fmt: skip
    level = check.rng.uniform(B, low=0.05, high=0.6).double()
    next_level = level + (1 - level) * check.rng.uniform(B, low=0.1, high=0.9).double()
    next_level = torch.ones_like(level) if last else next_level
    x, predicted = check.rng.normal(B, 1, 5, 6), check.rng.normal(B, 1, 5, 6)
    noise = check.rng.normal(B, 1, 5, 6) if eta else None
    a, b = (value[:, None, None, None] for value in (level, next_level))
    image = (x.double() - (1 - a).sqrt() * predicted.double()) / a.sqrt()
    image = image if clip is None else image.clamp(-clip, clip)
    variance = eta**2 * (1 - b) / (1 - a) * (1 - a / b)
    old = ((1 - b - variance).clamp(min=0) / (1 - a)).sqrt() * (x.double() - a.sqrt() * image)
    expected = b.sqrt() * image + old + (0 if noise is None else variance.sqrt() * noise.double())
    found = step_back(x, predicted, level, next_level, eta, noise, clip)
    check.close(found, expected.float(), name=f"step_back of {B} images with eta = {eta}, clip = {clip}")
# DDPM as its authors write it: mean and variance of x_(t-1), given x_t and the image, for neighbouring steps.
schedule, t = random_levels(40), check.rng.integers(1, 41, 7)
a, b = schedule[t][:, None, None, None], schedule[t - 1][:, None, None, None]
x, predicted, noise = (check.rng.normal(7, 1, 4, 4) for _ in range(3))
image, beta = (x.double() - (1 - a).sqrt() * predicted.double()) / a.sqrt(), 1 - a / b
expected = (b.sqrt() * beta * image + (1 - beta).sqrt() * (1 - b) * x.double()) / (1 - a)
expected = expected + ((1 - b) / (1 - a) * beta).sqrt() * noise.double()
found = step_back(x, predicted, schedule[t], schedule[t - 1], 1.0, noise)
check.close(found, expected.float(), rtol=1e-4, name="eta = 1 against DDPM's own step")
# A loop over images would take more operations with more of them.
x, level = check.rng.normal(64, 1, 4, 4), check.rng.uniform(64, low=0.05, high=0.1).double()
later = torch.full_like(level, 0.9)
operations = len(check.observe(step_back, x, x, level, later, 0.5, x, 1.0).torch_ops)
assert 4 <= operations <= 60, f"step_back of 64 images takes {operations} torch operations, expected 4 to 60."
### END HIDDEN TESTS

# %% [markdown]
# ### Requests of different lengths
#
# A service gets requests: one user wants a draft in 5 steps, another a fine image in 50. One pass with several images costs less than as many passes with one: weights are read once, and operations started once (you will measure it below). The network takes a t for each image. So put
# all requests that are not done into **one pass**, and let those that are done leave the batch. (Language models are served like this too, token by token: lab17 builds that.)
#
# ```text
# request  steps   round 1   round 2   round 3  round 4
# A        4       250→187   187→125   125→62   62→0
# B        2       250→125   125→0
# C        1       250→0
# images in pass:     3         2         1        1
# ```
#
# That is four passes with seven rows in all. One request after another needs seven passes.
#
# **Your task.** `serve(predict, step, starts, times)` returns the finished images, (R, 1, H, W), in the order of the requests.
# * `starts`: $x_T$ of R requests, (R, 1, H, W). `times`: R lists of ints, each falling from its first step to 0, such as `[250, 125, 0]`, of at least one number; `[0]` is done at once.
# * `predict(x, t)` gives ε̂ for images (B, 1, H, W) at steps t, an int64 tensor of shape (B,). `step(x, predicted, t, s)` takes them from t to s, both such tensors.
# * Every round is **one** call of `predict` and one of `step`, with all unfinished requests in order, and no finished one.
#
# <details><summary>Hint 1: rounds</summary>
#
# How many rounds are there? In round i, which requests have a step i and a step i + 1?
# </details>
# <details><summary>Hint 2: part of a batch</summary>
#
# With a list `active` of indices, `x[active]` picks those images, and `x[active] = …` puts them back. Work on a clone of `starts`.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# `active = [r for r, chain in enumerate(times) if i + 1 < len(chain)]`, and t is `torch.tensor([times[r][i] for r in active])`.
# </details>


# %% serve tags=["solution"]
def serve(predict, step, starts, times):
    ### BEGIN SOLUTION
    x = starts.clone()
    for i in range(max(len(chain) for chain in times) - 1):
        active = [r for r, chain in enumerate(times) if i + 1 < len(chain)]
        t = torch.tensor([times[r][i] for r in active], device=x.device)
        s = torch.tensor([times[r][i + 1] for r in active], device=x.device)
        x[active] = step(x[active], predict(x[active], t), t, s)
    return x
    ### END SOLUTION


# %% test_serve tags=["test", "core"] points=10 hours=0.75 covers=["diffusion", "lo1", "lo3"]
batches = []


def halve(x, t):
    batches.append(t.tolist())
    return 0.5 * x


starts = torch.tensor([8.0, 4.0])[:, None, None, None]
found = serve(halve, lambda x, predicted, t, s: x - predicted, starts, [[9, 4, 0], [9, 0]])
check.equal(batches, [[9, 9], [4]], name="the steps t in each call of predict")
check.close(found.flatten(), torch.tensor([2.0, 2.0]), name="8 halved twice, and 4 halved once")


### BEGIN HIDDEN TESTS
def judge_serve(times):
    starts, asked, stepped = check.rng.normal(len(times), 1, 4, 4), [], []

    def predict(x, t):
        asked.append(t.tolist())
        return 0.1 * x + 0.01 * t[:, None, None, None]

    def step(x, predicted, t, s):
        stepped.append(s.tolist())
        return x - 0.1 * (t - s)[:, None, None, None] * predicted

    found = serve(predict, step, starts, times)
    rounds = range(max(map(len, times)) - 1)
    check.equal(asked, [[c[i] for c in times if i + 1 < len(c)] for i in rounds], name="t of each call of predict")
    check.equal(stepped, [[c[i + 1] for c in times if i + 1 < len(c)] for i in rounds], name="s of each call of step")
    for request, chain in enumerate(times):
        x = starts[request : request + 1]
        for t, s in pairwise(chain):
            x = x - 0.1 * (t - s) * (0.1 * x + 0.01 * t)
        check.close(found[request], x[0], name=f"request {request} of {times}")


first = check.rng.choice(6, 12)
judge_serve([[first, 0], [8, 6, 4, 1, 0], [0], [9, 7, 2, 0], [first, 3, 0]])
judge_serve([[7, 5, 2, 0]])
judge_serve([[9, 4, 0], [9, 4, 0], [5, 0]])
### END HIDDEN TESTS

# %% [markdown]
# ## 5 · What a step costs, and what it buys
#
# Now draw. The cell takes 16 noises and serves each of them with 1, 2, 3, 5, 10, 20 and 50 steps: 112 requests in one run of `serve`, 50 passes in place of 1456.
#
# How good are they? The **Fréchet distance** takes the features that a digit classifier sees, of drawn images and of real ones, and compares the means and covariances of the two clouds. 0 would be no difference. But 360 images are few: 360 other *real* digits are
# about 2.5 away, and the same sampler gives distances one or two apart from draw to draw. `assets/steps.json` has it for each number of steps, from three times 360 images; `benchmarks/diffusion_steps.py` measured it in five core-minutes, which is too long for here.
#
# Go through the steps. Where do you stop seeing a difference? Where does the distance? (This cell runs your `step_back` and `serve`; the exercises of this section do not need them.)

# %% look_steps
import json
from pathlib import Path

from lablib.gpu.ledger import ledger


def back(x, predicted, t, s):
    """DDIM, unclipped, from steps t to steps s."""
    return step_back(x, predicted, levels[t], levels[s])


counts = (1, 2, 3, 5, 10, 20, 50)
starts = torch.randn(16, 1, 8, 8).repeat(len(counts), 1, 1, 1)
chains = [[round(250 * i / n) for i in range(n, -1, -1)] for n in counts for _ in range(16)]
with torch.no_grad():
    drawn = serve(unet, back, starts, chains).reshape(len(counts), 16, 8, 8)

one_pass = ledger(unet, torch.zeros(1, 1, 8, 8), torch.zeros(1)).total
decoding = ledger(vae.decoder, torch.zeros(1, 2)).total
recorded = json.loads(Path("assets/steps.json").read_text())["rows"]
distance = {row["name"]: sum(row["frechet"]) / len(row["frechet"]) for row in recorded}
worth = [distance[f"DDIM, {n} steps"] for n in counts]
price = [n * one_pass.flops for n in counts]
curve = {"cost": price, "value": worth, "cost_name": "FLOPs an image", "value_name": "Fréchet distance"}
viz.image_steps(
    (drawn + 1) / 2,
    [str(n) for n in counts],
    title="What does a step buy, and what does it cost?",
    prefix="DDIM steps: ",
    rows=("", "", "", ""),
    start=4,
    notes=[f"{p / 1e6:.0f} MFLOP an image; Fréchet distance {w:.1f}." for p, w in zip(price, worth, strict=True)],
    curve={**curve, "others": [("VAE", decoding.flops, distance["VAE"])]},
)

# %% [markdown]
# (By the distance, two steps, which give grey averages, are worse than one, which gives noise in black and white. So far from digits the distance says little.) All figures, with the passes of the network, the **NFE** (number of function evaluations):

# %% look_table
print(f"{'':26} {'NFE':>4} {'MFLOP an image':>15} {'core-ms an image':>17} {'Fréchet distance of three draws':>33}")
for row in recorded:
    flops = {"VAE": decoding.flops}.get(row["name"], row.get("steps", 0) * one_pass.flops)
    three = "  ".join(f"{value:6.2f}" for value in row["frechet"])
    cost = f"{flops / 1e6:15.2f} {1e3 * row['core_seconds'] / 360:17.3f}" if "steps" in row else f"{'':33}"
    print(f"{row['name'].split(',')[0]:26} {row.get('steps', ''):>4} {cost} {three:>33}")
print(f"\nOne pass of the U-Net is {one_pass.flops / decoding.flops:.0f} × one of the VAE's decoder.")

# %% [markdown]
# FLOPs are not time. A pass must also bring its operands: for each operation, the **weights**, whatever the batch, and the **activations**, in proportion to it. In the roofline's model an operation takes the longer of computing and moving, and operations run one after another. The
# next pass reads all weights again.
#
# **Your task.** `seconds_an_image(operations, batch, steps, flops_per_s, bytes_per_s)`: the bound for *one* image, when `batch` images are drawn together in `steps` passes.
# * `operations`: a list of dicts with `flops`, `parameter_bytes` and `activation_bytes`, all for a batch of 1. Rates are a second. Return a float.
#
# <details><summary>Hint 1: what grows with the batch?</summary>
#
# FLOPs and activations do, weights do not.
# </details>
# <details><summary>Hint 2: where is the longer taken?</summary>
#
# For each operation. The longer of two sums is at most the sum of the longer ones.
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# steps · Σ max(batch · flops / rate, (weights + batch · activations) / rate), and all that shared by the images of the batch.
# </details>


# %% seconds_an_image tags=["solution"]
def seconds_an_image(operations, batch, steps, flops_per_s, bytes_per_s):
    ### BEGIN SOLUTION
    one_pass = 0.0
    for operation in operations:
        computing = batch * operation["flops"] / flops_per_s
        moving = (operation["parameter_bytes"] + batch * operation["activation_bytes"]) / bytes_per_s
        one_pass += max(computing, moving)
    return steps * one_pass / batch
    ### END SOLUTION


# %% test_seconds_an_image tags=["test", "core"] points=5 hours=0.5 covers=["diffusion", "lo2"]
two = [
    {"flops": 8e9, "parameter_bytes": 3e9, "activation_bytes": 1e9},
    {"flops": 1e9, "parameter_bytes": 6e9, "activation_bytes": 0.0},
]
for operations_asked, known in [(two[:1], 10.0), (two, 17.5)]:
    found = seconds_an_image(operations_asked, 2, 5, 4e9, 2e9)
    assert math.isclose(found, known), f"{len(operations_asked)} of the two operations: {found} s, expected {known} s."
### BEGIN HIDDEN TESTS
keys = ("flops", "parameter_bytes", "activation_bytes")
for count, batch, steps in [(1, 1, 1), (3, 1, 50), (40, 16, 10)]:
    asked = [{key: check.rng.choice(1, 10**6) for key in keys} for _ in range(count)]
    total = 0.0
    for one in asked:
        total += max(batch * one["flops"] / 2e9, (one["parameter_bytes"] + batch * one["activation_bytes"]) / 3e9)
    expected = steps * total / batch
    found = seconds_an_image(asked, batch, steps, 2e9, 3e9)
    text = f"{count} operations, batch {batch}, {steps} steps: {found} s, expected {expected} s."
    assert math.isclose(found, expected, rel_tol=1e-9), text
### END HIDDEN TESTS

# %% [markdown]
# **Predict.** By what factor does a batch of 64 cut the time of an image, against a batch of 1? Your function says it, from what each operation of the U-Net costs and from two roofs of one core of *this* machine, which the cell measures: a matrix product, and a copy of 1 MiB, which stays in the cache as our weights and activations do. The prediction is
# locked before anything is timed. (To start over, delete `predictions.json` beside this notebook.) Before you run it: do you expect 64, 10, or 2?

# %% lock_prediction
from time import perf_counter

from lablib.gpu.specs import gpu


def fastest(function, repeat=5):
    """Least seconds of several calls."""
    times = []
    for _ in range(repeat):
        begin = perf_counter()
        function()
        times.append(perf_counter() - begin)
    return min(times)


square, line = torch.randn(1024, 1024), torch.randn(2**18)
target = torch.empty_like(line)
flops_per_s = 2 * 1024**3 / fastest(lambda: square @ square, repeat=20)
bytes_per_s = 2 * line.nbytes / fastest(lambda: target.copy_(line), repeat=100)
rows = ledger(unet, torch.zeros(1, 1, 8, 8), torch.zeros(1)).rows
operations = [
    {"flops": r.flops, "parameter_bytes": r.parameter_bytes, "activation_bytes": r.read_bytes + r.written_bytes}
    for r in rows
]
bounds = {batch: seconds_an_image(operations, batch, 10, flops_per_s, bytes_per_s) for batch in (1, 64)}
print(
    f"one core here: {flops_per_s / 1e9:.0f} GFLOP/s, {bytes_per_s / 1e9:.0f} GB/s; {len(operations)} operations a pass"
)
h200 = gpu("sm_90")
far = {batch: seconds_an_image(operations, batch, 10, h200.flops_per_s, h200.bytes_per_s) for batch in (1, 64)}
print(f"an H200's datasheet gives {1e6 * far[1]:.1f} µs an image at batch 1, {1e6 * far[64]:.1f} µs at batch 64")
predicted_gain = check.lock("batch of 64 over batch of 1, time an image", bounds[1] / bounds[64])

# %% [markdown]
# And now the clock: ten passes of the U-Net. (Where it beats the bound, another program disturbed the measurement of the roofs.)

# %% look_clock
measured = {}
with torch.no_grad():
    for batch in (1, 64):
        many, steps = torch.randn(batch, 1, 8, 8), torch.full((batch,), 100)
        measured[batch] = 10 * fastest(lambda many=many, steps=steps: unet(many, steps), repeat=20) / batch
for batch, seconds in measured.items():
    print(f"batch {batch:2}: bound {1e3 * bounds[batch]:6.2f} ms an image, measured {1e3 * seconds:6.2f} ms")
print(f"a batch of 64 is {measured[1] / measured[64]:.1f} × cheaper an image; you predicted {predicted_gain:.1f} ×")
beyond = (measured[1] - bounds[1]) / (10 * len(operations))
print(f"at batch 1, an operation takes {1e6 * beyond:.1f} µs more than its bound")

# %% [markdown]
# ### The skips of a U-Net (stretch)
#
# A U-Net goes down to small images and up again. On the way up, each level gets the activations that the same level had on the way down: the **skip**. It must be *held* all the while. And where it arrives, most code joins it by `torch.cat`, which copies both. How much is that for our network?

# %% look_skips
for name, side in [("our digits", 8), ("a photograph", 512)]:
    plane = 4 * side * side  # bytes of one channel of float32
    skips = {"32 channels": 32 * plane, "64 channels, half the side": 64 * plane // 4}
    print(f"{name}, {side} × {side}: skips hold {sum(skips.values()) / 2**20:.3f} MiB an image;", end=" ")
    print(f"the widest join copies {(64 + 32) * plane / 2**20:.3f} MiB more")

# %% [markdown]
# The copy is not needed. A convolution is a sum over input channels. Split the sum, and each part reads its own tensor:
#
# conv(cat[y, skip], W) = conv(y, W for y's channels) + conv(skip, W for the skip's channels)
#
# The same holds for matrix products.
#
# **Your task.** `joined_conv(y, skip, weight, bias)` equals `F.conv2d(torch.cat([y, skip], 1), weight, bias, padding=1)`.
# * `y`: (B, C, H, W), `skip`: (B, D, H, W), `weight`: (E, C + D, 3, 3), `bias`: (E,); float32.
# * The same FLOPs, and at any time at most three tensors of the size of the result, besides the arguments.
#
# <details><summary>Hint 1: which part of the weight?</summary>
#
# Its second axis counts input channels, in the order of `cat`.
# </details>
# <details><summary>Hint 2: the bias</summary>
#
# How often does it belong into the sum?
# </details>
# <details><summary>Hint 3: nearly there</summary>
#
# `weight[:, : y.shape[1]]` is a view. Two calls of `F.conv2d`, one of them with the bias.
# </details>


# %% joined_conv tags=["solution"]
def joined_conv(y, skip, weight, bias):
    ### BEGIN SOLUTION
    channels = y.shape[1]
    joined = F.conv2d(y, weight[:, :channels], bias, padding=1)
    return joined + F.conv2d(skip, weight[:, channels:], padding=1)
    ### END SOLUTION


# %% test_joined_conv tags=["test", "stretch"] points=10 hours=1.0 covers=["diffusion", "lo3"]
def judge_joined_conv(B, C, D, E, side):
    y, skip = check.rng.normal(B, C, side, side), check.rng.normal(B, D, side, side)
    weight, bias = check.rng.normal(E, C + D, 3, 3), check.rng.normal(E)
    result = 4 * B * E * side * side
    flops = 2 * B * E * side * side * (C + D) * 9
    found = check.cost(joined_conv, y, skip, weight, bias, flops=flops, peak=(result, 3 * result))
    expected = F.conv2d(torch.cat([y, skip], 1).double(), weight.double(), bias.double(), padding=1)
    check.close(found, expected.float(), rtol=1e-4, name=f"joined_conv of {C} and {D} channels")


judge_joined_conv(2, 16, 8, 8, 12)
### BEGIN HIDDEN TESTS
judge_joined_conv(3, 7, 20, 9, 10)
### END HIDDEN TESTS

# %% [markdown]
# ## 6 · Diagnose from counters (stretch)
#
# Four servers draw digits. All images are right. Their counters are not all what they should be. The cell plays the servers; `rounds` are the numbers of images in their passes.


# %% counters tags=["setup"]
def counters(times, eta, server):
    """What a monitor shows of a server, A to D, that drew requests with these chains; an image has 256 bytes."""
    steps = [len(chain) - 1 for chain in times]
    rounds = [sum(n > i for n in steps) for i in range(max(steps))]
    rounds = {"B": [len(steps)] * max(steps), "C": [1] * sum(steps)}.get(server, rounds)
    return {
        "requests": len(steps),
        "steps_asked": sum(steps),
        "most_steps_of_a_request": max(steps),
        "eta": eta,
        "passes": len(rounds),
        "rows": sum(rounds),
        "noise_bytes": 256 * sum(rounds) if eta > 0 or server == "D" else 0,
    }


# %% look_counters
asked_chains = [list(range(n, -1, -1)) for n in (5, 10, 50)]
cases = {server: counters(asked_chains, 1.0 if server == "A" else 0.0, server) for server in "ABCD"}
print(" " * 24, *(f"{name:>8}" for name in cases))
for counter in cases["A"]:
    print(f"{counter:24}", *(f"{case[counter]:8}" for case in cases.values()))

# %% [markdown]
# **Your task.** `diagnose(c)` takes such a dict and returns one of
# * `"one by one"`: more passes than the longest request needs;
# * `"idle rows"`: passes carry images that are finished;
# * `"vain noise"`: noise is drawn although η is 0, and multiplied by zero;
# * `"healthy"`: none of these.
#
# A server has at most one fault, the same each time. The hidden cases have other requests, also a single one, and several that all want the same number of steps.
#
# <details><summary>Hint 1: compare, do not memorise</summary>
#
# What is the least number of passes for these requests? The least number of rows?
# </details>
# <details><summary>Hint 2: noise that is needed</summary>
#
# With η above 0, noise bytes are no fault.
# </details>
# <details><summary>Hint 3: three comparisons</summary>
#
# passes with `most_steps_of_a_request`, rows with `steps_asked`, noise bytes with 0 where η is 0.
# </details>


# %% diagnose tags=["solution"]
def diagnose(c):
    ### BEGIN SOLUTION
    if c["passes"] > c["most_steps_of_a_request"]:
        return "one by one"
    if c["rows"] > c["steps_asked"]:
        return "idle rows"
    if c["eta"] == 0 and c["noise_bytes"] > 0:
        return "vain noise"
    return "healthy"
    ### END SOLUTION


# %% test_diagnose tags=["test", "stretch"] points=5 hours=0.5 covers=["diffusion", "lo1"]
def chains_of(*steps):
    return [list(range(n, -1, -1)) for n in steps]


faults = {"A": "healthy", "B": "idle rows", "C": "one by one", "D": "vain noise"}
for server, fault in faults.items():
    seen = counters(chains_of(5, 10, 50), 1.0 if server == "A" else 0.0, server)
    check.equal(diagnose(seen), fault, name=f"your diagnosis of server {server}")
### BEGIN HIDDEN TESTS
for eta in (0.0, 0.5):
    some = [check.rng.choice(2, 40) for _ in range(4)]
    hidden = [("A", some), ("A", [9]), ("A", [6, 6, 6]), ("C", [6, 6, 6]), ("C", some), ("B", [*some, 41])]
    hidden += [("D", some), ("D", [3])] if eta == 0 else []
    for server, asked in hidden:
        name = f"the diagnosis of requests of {asked} steps, eta {eta}"
        check.equal(diagnose(counters(chains_of(*asked), eta, server)), faults[server], name=name)
### END HIDDEN TESTS

# %% [markdown]
# ## 7 · Explain
#
# **Explain** (in at most 200 words, in the cell below).
# 1. Compare your locked prediction with the clock. What does the roofline's bound leave out that batch 1 pays in full and batch 64 hardly at all? Support it with a number that a cell printed.
# 2. Digits are to be drawn by the million. Choose among one VAE pass, DDIM in 10 steps, DDIM in 50 and DDPM in 250, by quality and FLOPs from the table. Which differences of distance are too small to count, and how do you know?
# 3. Name one change that makes diffusion cheaper without touching the network's layers, and say which of passes, FLOPs a pass or bytes a pass it cuts.

# %% explain_cost [markdown] tags=["manual", "core"] points=10 hours=0.5 covers=["vaes", "diffusion", "lo3"]
# ### BEGIN SOLUTION
# 1. The bound counts arithmetic and bytes alone. Each of 72 operations a pass must also be found, prepared and started by Python and PyTorch, whatever its size: the cell prints 24 µs an operation beyond the bound. At batch 1 the bound is 1.5 ms
#    and the clock says 19; a batch of 64 starts the same operations once for 64 images. So batching gained 3.4 × where the bound promised 1.0 ×: in the cache, weights that are read once save next to nothing.
# 2. DDIM in 10 steps. The VAE's distance of about 19 is far outside the noise (real digits 2.5; draws differ by one or two), at 1/1000 of the FLOPs: take it only if blur is accepted. 50 DDIM steps are better in all three draws, by 0.8 to 2.1,
#    for five times the FLOPs. 250 steps against 50, DDIM or DDPM, cannot be told apart: their ranges overlap.
# 3. A network distilled to take long steps cuts passes. Float16 halves the bytes a pass.
# ### END SOLUTION

# %% rubric_explain_cost [markdown] tags=["rubric"]
# **10 points.**
# * 4: 2 for the cost of starting an operation (Python, dispatch, launch; the word "overhead" alone earns 1), 2 for a printed number that supports it (µs an operation, or bound against clock at batch 1). Where prediction and clock agree on somebody's machine: 4 for saying why from the numbers.
# * 4: 2 for a choice that quality and FLOPs justify, the VAE included where blur is accepted; 2 for naming the noise of the distance (three draws of a sampler differ by one or two, real digits are 2.5 away) and not ranking within it.
# * 2: a change and the factor that it cuts (passes: fewer or longer steps, distillation; bytes: float16, larger batches; FLOPs a pass: fewer pixels, drawing in a latent space). 1 without the factor.

# %% record_figures
from lablib.ledger import record

# Your figures are kept in labs/ledger.json: lab18 fills the tables of its claims and its essay from there.
record("lab04_generative_models", {
    "unet_pass_over_vae_flops_ratio": lambda: one_pass.flops / decoding.flops,
    "vae_frechet": lambda: distance["VAE"],
    "ddim_10_steps_frechet": lambda: distance["DDIM, 10 steps"],
    "batch_64_time_ratio": lambda: measured[1] / measured[64],
    "batch_64_time_ratio_bound": lambda: predicted_gain,
})  # fmt: skip

# %% [markdown]
# ## What to take along
#
# * Noise as an input makes a random function differentiable, testable and repeatable.
# * A bound that is a mean over draws is a batch, not a loop.
# * Quality of a diffusion model is bought in passes. Past a point, more passes buy nothing that you can measure.
# * Requests at different steps share a pass. What a batch saves is weights and launches, not arithmetic.
#
# **Next:** lab05 fuses the operations that you counted; lab09 makes the weights smaller; lab17 serves a language model in the way of `serve`.
#
# **Sources**
# * Kingma, Welling: *Auto-encoding variational Bayes*, arXiv:1312.6114, 2013. Reparameterisation, ELBO, the closed form of the KL (appendix B).
# * Ho, Jain, Abbeel: *Denoising diffusion probabilistic models*, arXiv:2006.11239, 2020. The chain, the jump (equation 4), the posterior (equation 7).
# * Song, Meng, Ermon: *Denoising diffusion implicit models*, ICLR 2021, arXiv:2010.02502. η and long steps (equations 12 and 16); the hours in the introduction.
# * Heusel et al.: *GANs trained by a two time-scale update rule converge to a local Nash equilibrium*, arXiv:1706.08500, 2017. The Fréchet distance of images.
# * Ronneberger, Fischer, Brox: *U-Net*, arXiv:1505.04597, 2015. Skips.
# * Yu et al.: *Orca: a distributed serving system for Transformer-based generative models*, OSDI 2022. Batching by iteration.
# * Alpaydin, Kaynak: *Optical recognition of handwritten digits*, UCI, 1998. The digits.
