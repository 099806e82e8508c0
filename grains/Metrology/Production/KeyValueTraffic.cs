namespace EnergyGrid.Metrology;

/// <summary>The paper's App. E: what a layer's KV cache moves per step and sequence, and the step rate that bandwidth allows for it alone.</summary>
public static class KeyValueTraffic
{
    /// <summary>MHA stores K and V: 2 · context · heads · width · bytes, B.</summary>
    public static double MultiHeadBytes(int context, int heads, int headWidth, int bytesPerElement) =>
        2.0 * context * heads * headWidth * bytesPerElement;

    /// <summary>MLA stores one latent and the RoPE part of the key, for K and V together: context · (latent + rope) · bytes, B.</summary>
    public static double LatentBytes(int context, int latentWidth, int ropeWidth, int bytesPerElement) =>
        (double)context * (latentWidth + ropeWidth) * bytesPerElement;

    /// <summary>The paper's count of MLA's saving, heads · width / latent: 16 at 64 × 128 and 512. It leaves out V and the RoPE part; 28.4 is the ratio of the bytes above.</summary>
    public static double PaperSaving(int heads, int headWidth, int latentWidth) => (double)heads * headWidth / latentWidth;

    /// <summary>Steps/s if nothing else moved.</summary>
    public static double StepsPerSecond(double bandwidthBytesPerSecond, double bytes) =>
        ProductionFunction.Positive(bandwidthBytesPerSecond, nameof(bandwidthBytesPerSecond)) / ProductionFunction.Positive(bytes, nameof(bytes));
}
